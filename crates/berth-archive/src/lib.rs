//! Tar archives: reading them as strangers write them, making them of directories, and directories of them.
//!
//! [`Reader`] understands v7, ustar, PAX and GNU, sparse files expanded (POSIX.1-2017 `pax`, "ustar Interchange Format"
//! and "pax Header Block"; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files"). Ours, because the errors of
//! other readers were in just these places: sizes that PAX and header disagree about, names without end, sparse maps
//! that run backwards. [`pack`] makes an archive of a tree, [`unpack()`] a layer's directory of an archive ([`build`]
//! whatever else a layer may be made into), and [`extract`] puts an archive's files into a tree that somebody else may
//! be changing at the same time.
//!
//! Every path is resolved by the kernel below one descriptor: nothing leads out of a tree, whatever links lie in it. It
//! knows neither images nor containers, but the marks by which layers and overlay say that something is gone.

mod header;
mod input;
mod output;
pub mod pack;
mod pax;
mod reader;
mod sparse;
mod unpack;
mod writer;

pub use input::Joined;
pub use output::{Output, Pieces, Stream};
pub use reader::Reader;
pub use unpack::{
    BadPath, Form, Limits, Name, Owner, Rules, Target, UnpackError, Unpacked, build, extract, is_wanted, lossy, unpack,
};
pub use writer::Writer;

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It ends in the middle.
    #[error("the archive is cut off")]
    Truncated,
    /// A header's checksum is wrong.
    #[error("the archive has a header with a wrong checksum")]
    Checksum,
    /// A field of a header is malformed.
    #[error("the archive has a header with a malformed {0}")]
    Field(&'static str),
    /// A PAX record is malformed.
    #[error("the archive has a malformed PAX record")]
    Pax,
    /// A name or extended header without end.
    #[error("the archive has a {0} that is absurdly long")]
    TooLong(&'static str),
    /// The map of a sparse file is malformed.
    #[error("the archive has a malformed sparse file")]
    Sparse,
    /// An entry of a type that we do not know.
    #[error("the archive has an entry of unknown type {0:?}")]
    Kind(char),
    /// It could not be read.
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
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of a file before it.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// One entry, with everything that PAX and GNU headers before it said.
#[derive(Debug, Clone)]
pub struct Entry {
    /// As written: may be absolute, may climb.
    pub path: Vec<u8>,
    /// Where a link points.
    pub link: Vec<u8>,
    /// What it makes.
    pub kind: Kind,
    /// Permissions with setuid, setgid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor.
    pub device: (u32, u32),
    /// Of the file as it will be, holes included.
    pub size: u64,
    /// Names and values.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// One of root's, empty, of 1970, with the permissions that are usual for its kind.
    #[must_use]
    pub fn plain(kind: Kind, path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            link: Vec::new(),
            kind,
            mode: match kind {
                Kind::File => 0o644,
                Kind::Symlink => 0o777,
                _ => 0o755,
            },
            uid: 0,
            gid: 0,
            mtime: (0, 0),
            device: (0, 0),
            size: 0,
            xattrs: Vec::new(),
        }
    }
}

/// The longest path Linux takes.
pub(crate) const PATH_MAX: usize = 4096;
