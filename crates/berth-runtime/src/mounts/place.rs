//! Paths inside a root that somebody hostile may have filled: every look-up goes through `openat2` with
//! `RESOLVE_IN_ROOT`, so that no symbolic link leads out, and what was found is used by descriptor, so that it cannot be
//! exchanged afterwards.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat2, readlinkat};
use rustix::io::Errno;

/// Links followed before we give up, as the kernel does.
const MOST_LINKS: usize = 40;

/// What stands at `path` inside `root`, as an `O_PATH` descriptor.
pub(crate) fn find(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::PATH, ResolveFlags::empty())
}

/// As [`find`], refusing every symbolic link on the way.
pub(crate) fn find_without_links(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::PATH, ResolveFlags::NO_SYMLINKS)
}

/// As [`find`], opening a directory for reading its entries.
pub(crate) fn read_directory(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    open(root, path, OFlags::RDONLY | OFlags::DIRECTORY, ResolveFlags::empty())
}

/// The directory at `path` inside `root`, made with its parents where missing.
pub(crate) fn directory(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    match open(root, path, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty()) {
        Err(Errno::NOENT) => make_last(root, path, false).or_else(|_| make(root, path, false)),
        found => found,
    }
}

/// The file at `path` inside `root`; an empty one is made, with its parents, where nothing is.
pub(crate) fn file(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    match find(root, path) {
        Err(Errno::NOENT) => make_last(root, path, true).or_else(|_| make(root, path, true)),
        found => found,
    }
}

/// The directory that holds `path`'s last name, made where missing; and that name.
pub(crate) fn parent<'a>(root: BorrowedFd<'_>, path: &'a Path) -> Result<(OwnedFd, &'a Path), Errno> {
    let name = path.file_name().map(Path::new).ok_or(Errno::INVAL)?;
    let above = path.parent().unwrap_or(Path::new("/"));
    Ok((directory(root, above)?, name))
}

/// Whether the descriptor is a directory's.
pub(crate) fn is_directory(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Directory)
}

fn open(root: BorrowedFd<'_>, path: &Path, flags: OFlags, resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    let resolve = resolve | ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    // EAGAIN: something was renamed while the kernel resolved; it asks us to try again.
    for _ in 0..MOST_LINKS {
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

/// The ordinary case: only the last name is missing, and it is no link.
fn make_last(root: BorrowedFd<'_>, path: &Path, file: bool) -> Result<OwnedFd, Errno> {
    let (Some(Component::Normal(name)), Some(above)) = (path.components().next_back(), path.parent()) else {
        return Err(Errno::INVAL);
    };
    let parent = open(root, above, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty())?;
    make_one(parent.as_fd(), Path::new(name), file)
}

/// Makes what is missing of `path`, name by name. A dangling symbolic link is followed inside the root.
fn make(root: BorrowedFd<'_>, path: &Path, last_is_file: bool) -> Result<OwnedFd, Errno> {
    let mut names: Vec<PathBuf> = reversed_names(path);
    let mut at = PathBuf::from("/");
    let mut here = open(root, &at, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty())?;
    let mut links = 0;
    while let Some(name) = names.pop() {
        if name == Path::new("..") {
            at.pop();
            here = open(root, &at, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty())?;
            continue;
        }
        let last = names.is_empty();
        let next = at.join(&name);
        match open(root, &next, OFlags::PATH | OFlags::NOFOLLOW, ResolveFlags::empty()) {
            Ok(found) if is_link(found.as_fd())? => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = readlinkat(here.as_fd(), &name, Vec::new())?;
                let target = Path::new(std::ffi::OsStr::from_bytes(target.as_bytes()));
                if target.is_absolute() {
                    at = PathBuf::from("/");
                    here = open(root, &at, OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty())?;
                }
                names.extend(reversed_names(target));
                continue;
            }
            Ok(found) => here = found,
            Err(Errno::NOENT) => here = make_one(here.as_fd(), &name, last && last_is_file)?,
            Err(errno) => return Err(errno),
        }
        at = next;
    }
    Ok(here)
}

/// Makes one name in a directory that was found inside the root; what came to stand there meanwhile is not followed.
fn make_one(parent: BorrowedFd<'_>, name: &Path, file: bool) -> Result<OwnedFd, Errno> {
    let kind = if file {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?;
        OFlags::empty()
    } else {
        mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
        OFlags::DIRECTORY
    };
    rustix::fs::openat(parent, name, kind | OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn is_link(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode) == FileType::Symlink)
}

fn reversed_names(path: &Path) -> Vec<PathBuf> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// `path` without `.` and `..`, as if its parents were plain directories.
pub(crate) fn lexically(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

/// The current directory's root, for look-ups once the container's root is ours.
pub(crate) fn own_root() -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
