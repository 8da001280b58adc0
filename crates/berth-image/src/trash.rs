//! Removing what nobody needs, off everybody's path, however deep a container or a layer has nested it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Deeper directories are moved up before they are emptied: neither descriptors nor the stack grow with them.
const MAX_DEPTH: usize = 64;

/// How far emptying steps back behind everything else (`nice(2)`).
const NICENESS: i32 = 10;

/// How long a trash that was empty gathers before it is emptied.
const GATHERING: Duration = Duration::from_millis(100);

/// Trashes that a thread is emptying, and whether something has come since it last looked.
static BUSY: Mutex<BTreeMap<PathBuf, bool>> = Mutex::new(BTreeMap::new());

/// Empties a trash directory on a thread of its own. What cannot be removed stays for the next time.
///
/// One thread a trash, whatever comes: several would walk the same directories, and the kernel takes turns with them
/// there, which costs more than removing.
pub(crate) fn empty_in_background(trash: PathBuf) {
    let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(more) = busy.get_mut(&trash) {
        *more = true;
        return;
    }
    busy.insert(trash.clone(), false);
    drop(busy);
    let turns = trash.clone();
    let spawned = std::thread::Builder::new().name("trash".into()).spawn(move || take_turns(&turns));
    if let Err(error) = spawned {
        BUSY.lock().unwrap_or_else(PoisonError::into_inner).remove(&trash);
        tracing::warn!(%error, "no thread for emptying the trash");
    }
}

fn take_turns(trash: &Path) {
    // Whoever waits for something goes first. A refusal costs speed only.
    let _ = rustix::process::nice(NICENESS);
    // Whoever throws one thing away often throws more away: what comes in the meantime finds the directory free.
    std::thread::sleep(GATHERING);
    loop {
        empty(trash);
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if !busy.get_mut(trash).is_some_and(std::mem::take) {
            busy.remove(trash);
            return;
        }
    }
}

/// Removes everything in `trash`.
pub(crate) fn empty(trash: &Path) {
    let Ok(root) = open(CWD, trash.as_os_str().as_encoded_bytes()) else { return };
    // What was too deep is moved here while we look: then there is another round.
    loop {
        let mut moved = false;
        for (name, kind) in entries(root.as_fd()).unwrap_or_default() {
            match remove(root.as_fd(), root.as_fd(), (&name, kind), 0, &mut moved) {
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
    (name, kind): (&[u8], FileType),
    depth: usize,
    moved: &mut bool,
) -> Result<(), Errno> {
    if kind != FileType::Directory {
        match unlinkat(parent, name, AtFlags::empty()) {
            // The file system does not tell kinds.
            Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => {}
            done => return done,
        }
    }
    if depth >= MAX_DEPTH {
        *moved = true;
        return renameat(parent, name, trash, unique());
    }
    let directory = open(parent, name)?;
    for (inner, kind) in entries(directory.as_fd())? {
        remove(trash, directory.as_fd(), (&inner, kind), depth + 1, moved)?;
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn entries(directory: BorrowedFd<'_>) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            entries.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(entries)
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

    #[test]
    fn many_at_once_leave_nothing() {
        let (made, trash) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (made, path) = (made.path(), trash.path());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for number in 0..50 {
                        // Things come whole and by one rename: what was made in there could be gone half made.
                        let name = format!("{thread}-{number}");
                        std::fs::create_dir_all(made.join(&name).join("a/b")).unwrap();
                        std::fs::rename(made.join(&name), path.join(&name)).unwrap();
                        empty_in_background(path.to_owned());
                    }
                });
            }
        });
        // The last call came after the last directory: whoever is at it looks again.
        while BUSY.lock().unwrap().contains_key(path) {
            std::thread::yield_now();
        }
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
    }
}
