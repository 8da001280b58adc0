//! A blob on its way in whose digest nobody knows yet.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use berth_oci::{Algorithm, Hasher};

use crate::ingest::Temporary;
use crate::{Error, Result, Store, Verified};

/// A blob being written under a temporary name; dropped, it is gone. Its digest is known at its end.
#[derive(Debug)]
pub struct Draft {
    store: Store,
    hasher: Hasher,
    written: u64,
    file: File,
    temporary: Temporary,
}

impl Draft {
    pub(crate) fn create(store: &Store, algorithm: Algorithm, temporary: PathBuf) -> Result<Self> {
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(Error::file("creating the blob file", &temporary))?;
        let (hasher, temporary) = (Hasher::new(algorithm), Temporary { path: temporary, keep: false });
        Ok(Self { store: store.clone(), hasher, written: 0, file, temporary })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the disk refuses them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(Error::file("writing the blob file", &self.temporary.path))
    }

    /// Says that nothing more will come: what came is the blob.
    #[must_use]
    pub fn finish(self) -> Verified {
        let Self { store, hasher, written, file, temporary } = self;
        Verified { store, digest: hasher.finish(), size: written, file, temporary }
    }
}
