//! Removing what nobody needs, off everybody's path, however deep a container or a layer has nested it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Deeper directories are moved up before they are emptied: neither descriptors nor the stack grow with them.
const MAX_DEPTH: usize = 64;

/// Empties a trash directory on a thread of its own. What cannot be removed stays for the next time.
pub(crate) fn empty_in_background(trash: PathBuf) {
    let spawned = std::thread::Builder::new().name("trash".into()).spawn(move || empty(&trash));
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for emptying the trash");
    }
}

/// Removes everything in `trash`.
pub(crate) fn empty(trash: &Path) {
    let Ok(root) = open(CWD, trash.as_os_str().as_encoded_bytes()) else { return };
    // What was too deep is moved here while we look: then there is another round.
    loop {
        let mut moved = false;
        for name in names(root.as_fd()).unwrap_or_default() {
            match remove(root.as_fd(), root.as_fd(), &name, 0, &mut moved) {
                // Two sweepers may meet in one trash: what is gone is gone.
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => {}
                Err(error) => {
                    let name = String::from_utf8_lossy(&name);
                    tracing::warn!(trash = %trash.display(), %name, %error, "the trash could not be emptied");
                }
            }
        }
        if !moved {
            return;
        }
    }
}

fn remove(
    trash: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    name: &[u8],
    depth: usize,
    moved: &mut bool,
) -> Result<(), Errno> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return done,
    }
    if depth >= MAX_DEPTH {
        *moved = true;
        return renameat(parent, name, trash, unique());
    }
    let directory = open(parent, name)?;
    for inner in names(directory.as_fd())? {
        remove(trash, directory.as_fd(), &inner, depth + 1, moved)?;
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-deep-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn however_deep() {
        let trash = tempfile::tempdir().unwrap();
        let mut directory = open(CWD, trash.path().as_os_str().as_encoded_bytes()).unwrap();
        for _ in 0..1000 {
            rustix::fs::mkdirat(&directory, "d", Mode::RWXU).unwrap();
            directory = open(directory.as_fd(), b"d").unwrap();
        }
        std::fs::write(trash.path().join("file"), b"x").unwrap();
        empty(trash.path());
        assert_eq!(std::fs::read_dir(trash.path()).unwrap().count(), 0);
    }
}
