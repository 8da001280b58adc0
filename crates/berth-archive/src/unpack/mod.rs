//! From a layer's archive to a directory that overlay can mount, and from any archive into a tree that is in use.
//!
//! Whatever the archive says, nothing outside the directory is touched: every path is resolved by the kernel below
//! one descriptor (`openat2`, `RESOLVE_IN_ROOT`), and what would have to be bent to stay inside is refused. Start at
//! [`unpack`] and [`extract`]; [`path`] says what a name means, [`tree`] makes things, [`attributes`] dresses them.

mod attributes;
mod live;
mod path;
mod tree;

use std::io::Read;
use std::path::Path;

use rustix::io::Errno;

use crate::{ArchiveError, Entry, Kind, Reader};
pub(crate) use attributes::{is_wanted, split_list};
pub use live::{Rules, Target, extract};
pub use path::BadPath;
use path::{Name, Whiteout};
use tree::Tree;

/// Why a layer was not unpacked; what was unpacked of it is the caller's to remove.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive is no good.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An entry has a name that cannot be.
    #[error("{0:?} {1}")]
    Path(String, BadPath),
    /// A hard link to nothing.
    #[error("the hard link {link:?} points to {target:?}, which is not in the layer")]
    LinkTarget {
        /// The link.
        link: String,
        /// What it should be another name of.
        target: String,
    },
    /// A link that leads out of an image.
    #[error("the symbolic link {link:?} points out of the image: {target:?}")]
    Escape {
        /// The link.
        link: String,
        /// Where it points.
        target: String,
    },
    /// Too many entries.
    #[error("it has more than {0} entries")]
    TooMany(u64),
    /// The kernel refused.
    #[error("{doing} {path:?}: {}", std::io::Error::from(*.errno))]
    Step {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why not.
        errno: Errno,
    },
    /// What is there is a directory, and the entry is none ([`Rules::keep_kind`]).
    #[error("cannot overwrite directory {0:?} with non-directory {1:?}")]
    OverDirectory(String, String),
    /// The entry is a directory, and what is there is none ([`Rules::keep_kind`]).
    #[error("cannot overwrite non-directory {0:?} with directory {1:?}")]
    OverFile(String, String),
}

/// What a layer may be at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4 << 20 }
    }
}

/// Whose the files are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Owner {
    /// As the archive says.
    #[default]
    Recorded,
    /// All of them one user's.
    All {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// The caller's, who may not be allowed to give them away.
    Ours,
}

/// What was unpacked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Unpacked {
    /// How many entries there were.
    pub entries: u64,
    /// Bytes of regular files, holes included.
    pub size: u64,
}

/// Unpacks a layer into `directory`, which is empty, and reads the stream to its end.
///
/// # Errors
/// What is wrong with the layer, or what the kernel refused.
pub fn unpack(archive: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked, UnpackError> {
    let mut reader = Reader::new(archive);
    let mut tree = Tree::open(directory)?;
    let mut done = Unpacked::default();
    let mut buffer = vec![0; 128 * 1024];
    while let Some(entry) = reader.next()? {
        done.entries += 1;
        if done.entries > limits.entries {
            return Err(UnpackError::TooMany(limits.entries));
        }
        place(&mut tree, &mut reader, &entry, &mut buffer)?;
        done.size = done.size.saturating_add(entry.size);
    }
    reader.finish()?;
    tree.finish()?;
    Ok(done)
}

fn place(tree: &mut Tree, reader: &mut Reader<impl Read>, entry: &Entry, buffer: &mut [u8]) -> Result<(), UnpackError> {
    let Some(name) = Name::parse(&entry.path).map_err(|bad| UnpackError::Path(lossy(&entry.path), bad))? else {
        return tree.root(entry);
    };
    match name.whiteout().map_err(|bad| UnpackError::Path(lossy(&entry.path), bad))? {
        Some(Whiteout::Of(target)) => return tree.whiteout(&target),
        Some(Whiteout::Opaque) => return tree.opaque(name.parent()),
        Some(Whiteout::Ignored) => return Ok(()),
        None => {}
    }
    match entry.kind {
        Kind::Directory => tree.directory(&name, entry),
        Kind::File => tree.file(&name, entry, reader, buffer),
        Kind::HardLink => {
            let target = Name::parse(&entry.link).map_err(|bad| UnpackError::Path(lossy(&entry.link), bad))?;
            let missing = || UnpackError::LinkTarget { link: lossy(&entry.path), target: lossy(&entry.link) };
            tree.hard_link(&name, &target.ok_or_else(missing)?, missing)
        }
        Kind::Symlink => {
            if path::climbs_out(&name, &entry.link) {
                return Err(UnpackError::Escape { link: lossy(&entry.path), target: lossy(&entry.link) });
            }
            tree.symlink(&name, entry)
        }
        Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => tree.node(&name, entry),
    }
}

fn lossy(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().count() <= 200 { text.into_owned() } else { text.chars().take(200).chain(['…']).collect() }
}
