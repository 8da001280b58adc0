//! From a layer's archive to a directory that overlay can mount, and from any archive into a tree that is in use.
//!
//! Whatever the archive says, nothing outside the directory is touched: every path is resolved by the kernel below
//! one descriptor (`openat2`, `RESOLVE_IN_ROOT`), and what would have to be bent to stay inside is refused. Start at
//! [`unpack`] and [`extract`]; [`path`] says what a name means, [`tree`] makes things, [`attributes`] dresses them.

mod attributes;
mod live;
mod path;
mod replaced;
mod root;
mod times;
mod tree;

use std::io::{BufRead, Read};
use std::path::Path;

use rustix::io::Errno;

use crate::{ArchiveError, Entry, Kind, Reader};
pub use attributes::is_wanted;
pub(crate) use attributes::split_list;
pub use live::{Rules, Target, extract};
use path::Whiteout;
pub use path::{BadPath, Name};
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
    /// Too much to be said of its entries.
    #[error("the names and attributes of its entries take more than {} MiB", .0 >> 20)]
    TooLarge(u64),
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

/// What a layer is made into: a directory, or an image of one. It is told of every entry in the archive's order, by
/// names that lie below the root; a later entry replaces what an earlier one made.
pub trait Form<R: Read> {
    /// What the archive says about the root itself.
    ///
    /// # Errors
    /// It cannot be so.
    fn root(&mut self, entry: &Entry) -> Result<(), UnpackError>;
    /// A directory; one that is there keeps what is in it.
    ///
    /// # Errors
    /// It cannot be made.
    fn directory(&mut self, name: &Name, entry: &Entry) -> Result<(), UnpackError>;
    /// A regular file, whose data comes next.
    ///
    /// # Errors
    /// It cannot be made, or the archive is cut off.
    fn file(&mut self, name: &Name, entry: &Entry, reader: &mut Reader<R>) -> Result<(), UnpackError>;
    /// A symbolic link.
    ///
    /// # Errors
    /// It cannot be made.
    fn symlink(&mut self, name: &Name, entry: &Entry) -> Result<(), UnpackError>;
    /// A device or pipe.
    ///
    /// # Errors
    /// It cannot be made.
    fn node(&mut self, name: &Name, entry: &Entry) -> Result<(), UnpackError>;
    /// One more name of what is there, which is neither a directory nor a mark of absence.
    ///
    /// # Errors
    /// `missing`, or it cannot be made.
    fn hard_link(&mut self, name: &Name, target: &Name, missing: &dyn Fn() -> UnpackError) -> Result<(), UnpackError>;
    /// What lies below under this name is gone; the mark has the time of its entry, so that it is archived as it came.
    ///
    /// # Errors
    /// It cannot be said.
    fn whiteout(&mut self, name: &Name, mark: &Entry) -> Result<(), UnpackError>;
    /// Everything that lies below in this directory is gone.
    ///
    /// # Errors
    /// It cannot be said.
    fn opaque(&mut self, directory: &[u8]) -> Result<(), UnpackError>;
}

/// Unpacks a layer into `directory`, which is empty, and reads the stream to its end.
///
/// # Errors
/// What is wrong with the layer, or what the kernel refused.
pub fn unpack(archive: impl BufRead, directory: &Path, limits: Limits) -> Result<Unpacked, UnpackError> {
    let mut reader = Reader::new(archive);
    let mut filling = Filling { tree: Tree::open(directory)? };
    let done = build(&mut reader, &mut filling, limits)?;
    reader.finish()?;
    filling.tree.finish()?;
    Ok(done)
}

/// Makes a form of an archive, entry by entry, up to the archive's end mark.
///
/// # Errors
/// What is wrong with the layer, or why the form takes no more.
pub fn build<R: Read>(
    reader: &mut Reader<R>,
    form: &mut impl Form<R>,
    limits: Limits,
) -> Result<Unpacked, UnpackError> {
    let mut done = Unpacked::default();
    while let Some(entry) = reader.next()? {
        done.entries += 1;
        if done.entries > limits.entries {
            return Err(UnpackError::TooMany(limits.entries));
        }
        place(form, reader, &entry)?;
        done.size = done.size.saturating_add(entry.size);
    }
    Ok(done)
}

fn place<R: Read>(form: &mut impl Form<R>, reader: &mut Reader<R>, entry: &Entry) -> Result<(), UnpackError> {
    let Some(name) = Name::parse(&entry.path).map_err(|bad| UnpackError::Path(lossy(&entry.path), bad))? else {
        return form.root(entry);
    };
    match name.whiteout().map_err(|bad| UnpackError::Path(lossy(&entry.path), bad))? {
        Some(Whiteout::Of(target)) => return form.whiteout(&target, entry),
        Some(Whiteout::Opaque) => return form.opaque(name.parent()),
        Some(Whiteout::Ignored) => return Ok(()),
        None => {}
    }
    match entry.kind {
        Kind::Directory => form.directory(&name, entry),
        Kind::File => form.file(&name, entry, reader),
        Kind::HardLink => {
            let target = Name::parse(&entry.link).map_err(|bad| UnpackError::Path(lossy(&entry.link), bad))?;
            let missing = || UnpackError::LinkTarget { link: lossy(&entry.path), target: lossy(&entry.link) };
            form.hard_link(&name, &target.ok_or_else(missing)?, &missing)
        }
        Kind::Symlink => {
            if path::climbs_out(&name, &entry.link) {
                return Err(UnpackError::Escape { link: lossy(&entry.path), target: lossy(&entry.link) });
            }
            form.symlink(&name, entry)
        }
        Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => form.node(&name, entry),
    }
}

/// A directory that is being filled.
struct Filling {
    tree: Tree,
}

impl<R: BufRead> Form<R> for Filling {
    fn root(&mut self, entry: &Entry) -> Result<(), UnpackError> {
        self.tree.root(entry)
    }

    fn directory(&mut self, name: &Name, entry: &Entry) -> Result<(), UnpackError> {
        self.tree.directory(name, entry)
    }

    fn file(&mut self, name: &Name, entry: &Entry, reader: &mut Reader<R>) -> Result<(), UnpackError> {
        self.tree.file(name, entry, reader)
    }

    fn symlink(&mut self, name: &Name, entry: &Entry) -> Result<(), UnpackError> {
        self.tree.symlink(name, entry)
    }

    fn node(&mut self, name: &Name, entry: &Entry) -> Result<(), UnpackError> {
        self.tree.node(name, entry)
    }

    fn hard_link(&mut self, name: &Name, target: &Name, missing: &dyn Fn() -> UnpackError) -> Result<(), UnpackError> {
        self.tree.hard_link(name, target, missing)
    }

    fn whiteout(&mut self, name: &Name, mark: &Entry) -> Result<(), UnpackError> {
        self.tree.whiteout(name, mark)
    }

    fn opaque(&mut self, directory: &[u8]) -> Result<(), UnpackError> {
        self.tree.opaque(directory)
    }
}

/// A name as a sentence shows it: readable, and not too long.
#[must_use]
pub fn lossy(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().count() <= 200 { text.into_owned() } else { text.chars().take(200).chain(['…']).collect() }
}
