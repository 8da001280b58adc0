//! A blob on its way in.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use berth_oci::{Digest, Hasher};

use crate::{Error, Result, Store};

/// A blob being written under a temporary name; dropped, it is gone.
#[derive(Debug)]
pub struct Ingest {
    store: Store,
    expected: Digest,
    size: Option<u64>,
    hasher: Hasher,
    written: u64,
    file: File,
    temporary: Temporary,
}

/// A file that goes when its owner does.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed or swept already: then there is nothing to do.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A blob that is all there and is what its digest says, but has no name yet.
#[derive(Debug)]
pub struct Verified {
    store: Store,
    digest: Digest,
    size: u64,
    file: File,
    temporary: Temporary,
}

impl Ingest {
    pub(crate) fn create(store: &Store, expected: &Digest, size: Option<u64>, temporary: PathBuf) -> Result<Self> {
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(Error::file("creating the blob file", &temporary))?;
        Ok(Self {
            store: store.clone(),
            expected: expected.clone(),
            size,
            hasher: Hasher::new(expected.algorithm()),
            written: 0,
            file,
            temporary: Temporary(temporary),
        })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When there are more of them than promised, or the disk refuses them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        if let Some(expected) = self.size.filter(|&size| self.written > size) {
            return Err(Error::Length { digest: self.expected.clone(), expected, actual: self.written });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(Error::file("writing the blob file", &self.temporary.0))
    }

    /// How many bytes came so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Says that nothing more will come, and compares length and digest with what was promised.
    ///
    /// # Errors
    /// When either differs; nothing remains then.
    pub fn verify(self) -> Result<Verified> {
        if let Some(expected) = self.size.filter(|&size| self.written != size) {
            return Err(Error::Length { digest: self.expected, expected, actual: self.written });
        }
        let actual = self.hasher.finish();
        if actual != self.expected {
            return Err(Error::Digest { expected: self.expected, actual });
        }
        Ok(Verified {
            store: self.store,
            digest: self.expected,
            size: self.written,
            file: self.file,
            temporary: self.temporary,
        })
    }
}

impl Verified {
    /// The blob's length.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes it durable, then visible.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn publish(self) -> Result<()> {
        self.file.sync_data().map_err(Error::file("syncing the blob file", &self.temporary.0))?;
        self.publish_synced()?.sync_names()
    }

    /// Makes it visible; the caller has seen to it that its bytes are durable (`syncfs`), and sees to it that
    /// [`Store::sync_names`] is called before the blob is relied upon.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn publish_synced(self) -> Result<Store> {
        let target: &Path = &self.store.path(&self.digest);
        std::fs::rename(&self.temporary.0, target).map_err(Error::file("naming the blob file", target))?;
        Ok(self.store.clone())
    }
}
