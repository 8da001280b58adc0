//! From a layer's archive to a directory that overlay can mount.
//!
//! Whatever the archive says, nothing outside the directory is touched: every path is resolved by the kernel below
//! one descriptor (`openat2`, `RESOLVE_IN_ROOT`), and what would have to be bent to stay inside is refused. Start at
//! [`unpack`]; [`path`] says what a name means, [`tree`] makes things, [`attributes`] dresses them.

mod attributes;
mod path;
mod tree;

use std::io::Read;
use std::path::Path;

use rustix::io::Errno;

use crate::archive::{ArchiveError, Entry, Kind, Reader};
use path::{BadPath, Name, Whiteout};
use tree::Tree;

/// Why a layer was not unpacked; what was unpacked of it is the caller's to remove.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("{0:?} {1}")]
    Path(String, BadPath),
    #[error("the hard link {link:?} points to {target:?}, which is not in the layer")]
    LinkTarget { link: String, target: String },
    #[error("the symbolic link {link:?} points out of the image: {target:?}")]
    Escape { link: String, target: String },
    #[error("it has more than {0} entries")]
    TooMany(u64),
    #[error("{doing} {path:?}: {}", std::io::Error::from(*.errno))]
    Step { doing: &'static str, path: String, errno: Errno },
}

/// What a layer may be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4 << 20 }
    }
}

/// What was unpacked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) entries: u64,
    /// Bytes of regular files, holes included.
    pub(crate) size: u64,
}

/// Unpacks `archive` into `directory`, which is empty, and reads the stream to its end.
pub(crate) fn unpack(archive: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked, UnpackError> {
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
