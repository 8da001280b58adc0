//! Reading a tar archive as strangers write it: v7, ustar, PAX and GNU, sparse files expanded.
//!
//! POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar Format" and
//! "Storing Sparse Files". Ours, because the errors of other readers were in just these places: sizes that PAX and
//! header disagree about, names without end, sparse maps that run backwards. It makes nothing on disk.

mod header;
mod pax;
mod reader;
mod sparse;

pub(crate) use reader::Reader;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("the archive is cut off")]
    Truncated,
    #[error("the archive has a header with a wrong checksum")]
    Checksum,
    #[error("the archive has a header with a malformed {0}")]
    Field(&'static str),
    #[error("the archive has a malformed PAX record")]
    Pax,
    #[error("the archive has a {0} that is absurdly long")]
    TooLong(&'static str),
    #[error("the archive has a malformed sparse file")]
    Sparse,
    #[error("the archive has an entry of unknown type {0:?}")]
    Kind(char),
    #[error("{0}")]
    Read(std::io::Error),
}

impl From<std::io::Error> for ArchiveError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Read(error),
        }
    }
}

/// What an entry makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// One entry, with everything that PAX and GNU headers before it said.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// As written: may be absolute, may climb.
    pub(crate) path: Vec<u8>,
    /// Where a link points.
    pub(crate) link: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permissions with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970, and nanoseconds.
    pub(crate) mtime: (i64, u32),
    /// Major and minor.
    pub(crate) device: (u32, u32),
    /// Of the file as it will be, holes included.
    pub(crate) size: u64,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The longest path Linux takes.
pub(crate) const PATH_MAX: usize = 4096;
