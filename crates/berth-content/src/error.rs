//! What can go wrong with a blob.

use std::io;
use std::path::{Path, PathBuf};

use berth_oci::Digest;

/// A failed step, with the object it failed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store has no such blob.
    #[error("blob {0} is not in the store")]
    Missing(Digest),
    /// The bytes are not what the digest names.
    #[error("content verification failed: expected {expected}, got {actual}")]
    Digest {
        /// What was promised.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// There are fewer or more bytes than promised; more are noticed as soon as they come.
    #[error("content of {digest} has the wrong length: expected {expected} bytes, got {actual}")]
    Length {
        /// Which blob.
        digest: Digest,
        /// What was promised.
        expected: u64,
        /// What came, at least.
        actual: u64,
    },
    /// A file could not be handled.
    #[error("{doing} {}", path.display())]
    File {
        /// The step.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }
}
