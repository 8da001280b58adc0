//! A blob on its way in.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use berth_oci::{Digest, Hasher};

use crate::{Error, Result, Store};

/// A blob being written under a temporary name. Dropped, it is gone; or, begun by [`Store::resume`], it waits for the
/// next try.
#[derive(Debug)]
pub struct Ingest {
    store: Store,
    expected: Digest,
    size: Option<u64>,
    hasher: Hasher,
    written: u64,
    /// Bytes that an earlier try has left and that were not replayed yet.
    unread: u64,
    file: File,
    temporary: Temporary,
}

/// A file that goes when its owner does, unless it may be of use to another.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
    pub(crate) keep: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.keep {
            // Renamed or swept already: then there is nothing to do.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A blob that is all there and is what its digest says, but has no name yet.
#[derive(Debug)]
pub struct Verified {
    pub(crate) store: Store,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) file: File,
    pub(crate) temporary: Temporary,
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
            unread: 0,
            file,
            temporary: Temporary { path: temporary, keep: false },
        })
    }

    /// One that goes on with a file of which `unread` bytes are there.
    pub(crate) fn over(store: &Store, expected: &Digest, size: u64, file: File, path: PathBuf, unread: u64) -> Self {
        Self {
            store: store.clone(),
            expected: expected.clone(),
            size: Some(size),
            hasher: Hasher::new(expected.algorithm()),
            written: 0,
            unread,
            file,
            temporary: Temporary { path, keep: true },
        }
    }

    /// How many bytes an earlier try has left that were not replayed yet. They come before anything that is written.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Reads the next of what an earlier try has left, and hashes it; 0 at its end.
    ///
    /// # Errors
    /// When it cannot be read; it is given up then.
    pub fn replay(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.unread).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let got = match self.file.read(&mut buffer[..most]) {
            Ok(got) if got > 0 => got,
            failed => {
                self.temporary.keep = false;
                let error = failed.err().unwrap_or_else(|| ErrorKind::UnexpectedEof.into());
                return Err(Error::file("reading the unfinished blob", &self.temporary.path)(error));
            }
        };
        self.hasher.update(&buffer[..got]);
        self.unread -= got as u64;
        self.written += got as u64;
        Ok(got)
    }

    /// Leaves nothing to go on with, whatever comes.
    pub fn give_up(mut self) {
        self.temporary.keep = false;
    }

    /// Takes the next bytes. Whatever an earlier try has left was replayed before.
    ///
    /// # Errors
    /// When there are more of them than promised, or the disk refuses them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        debug_assert_eq!(self.unread, 0, "what is there comes first");
        self.written += bytes.len() as u64;
        if let Some(expected) = self.size.filter(|&size| self.written > size) {
            self.temporary.keep = false;
            return Err(Error::Length { digest: self.expected.clone(), expected, actual: self.written });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(|error| {
            // A disk that is full is not helped by what fills it.
            self.temporary.keep = false;
            Error::file("writing the blob file", &self.temporary.path)(error)
        })
    }

    /// How many bytes came so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Says that nothing more will come, and compares length and digest with what was promised.
    ///
    /// # Errors
    /// When either differs. Of too few bytes those that came wait for the next try, where there may be one; of wrong
    /// ones nothing remains.
    pub fn verify(mut self) -> Result<Verified> {
        if let Some(expected) = self.size.filter(|&size| self.written != size) {
            return Err(Error::Length { digest: self.expected, expected, actual: self.written });
        }
        let actual = self.hasher.finish();
        if actual != self.expected {
            self.temporary.keep = false;
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

    /// Lets it go; nothing remains.
    pub fn give_up(mut self) {
        self.temporary.keep = false;
    }

    /// What it is.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Opens it for reading, as long as it has no name.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(&self) -> Result<File> {
        File::open(&self.temporary.path).map_err(Error::file("opening the blob file", &self.temporary.path))
    }

    /// Makes it durable, then visible.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn publish(self) -> Result<()> {
        self.file.sync_data().map_err(Error::file("syncing the blob file", &self.temporary.path))?;
        self.publish_synced()?.sync_names()
    }

    /// Makes it visible; the caller has seen to it that its bytes are durable (`syncfs`), and sees to it that
    /// [`Store::sync_names`] is called before the blob is relied upon.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn publish_synced(self) -> Result<Store> {
        let target: &Path = &self.store.path(&self.digest);
        std::fs::rename(&self.temporary.path, target).map_err(Error::file("naming the blob file", target))?;
        Ok(self.store.clone())
    }
}
