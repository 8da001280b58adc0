//! Directories within a volume or an image, as mounts of their own: what `volume-subpath` and `image-subpath` ask for.
//!
//! Links may lead around within the tree, not out of it, whoever changes it meanwhile.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree};

use super::fill;
use crate::{Error, Result};

/// A detached copy of what is at `subpath` below a directory of the host.
pub(crate) fn of_attached(root: &OwnedFd, subpath: &str, of: &str) -> Result<OwnedFd> {
    copy(root, subpath).map_err(|errno| refused(errno, subpath, of))
}

/// The same below the root of a mount that is attached nowhere.
///
/// Linux copies parts of such mounts since 6.15 only: before, a mount must be in the caller's own mount namespace. So it
/// is attached, in a namespace that lasts as long as that takes.
pub(crate) fn of_detached(root: OwnedFd, subpath: &str, of: &str) -> Result<OwnedFd> {
    let path = subpath.to_owned();
    // A thread of its own: one that has left the host's mount namespace cannot be given back.
    let thread = std::thread::spawn(move || {
        attach(&root)?;
        copy(&root, &path)
    });
    let copied = thread.join().map_err(|_| Error::Internal(format!("opening {subpath:?} of {of}")))?;
    copied.map_err(|errno| refused(errno, subpath, of))
}

/// Takes the calling thread into a mount namespace of its own, and the mount as well.
fn attach(root: &OwnedFd) -> rustix::io::Result<()> {
    berth_sys::namespace::unshare_mounts()?;
    // Or the host would see it.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    // Over the root, where there always is a directory; it is reached by its descriptor.
    move_mount(root, "", CWD, "/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn copy(root: &OwnedFd, subpath: &str) -> rustix::io::Result<OwnedFd> {
    let path = if subpath.is_empty() { "." } else { subpath };
    let found = fill::within(root.as_fd(), Path::new(path), OFlags::PATH, ResolveFlags::BENEATH)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(&found, c"", flags | OpenTreeFlags::AT_RECURSIVE)
}

fn refused(errno: Errno, subpath: &str, of: &str) -> Error {
    let why = match errno {
        Errno::XDEV => "it leads out of it".to_owned(),
        Errno::NOENT => "it is not there; make it before it is mounted".to_owned(),
        errno => super::reason(errno),
    };
    Error::Invalid(format!("cannot mount subpath {subpath:?} of {of}: {why}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use std::fs;
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, Mode, StatxFlags, openat, statx};

    use super::*;

    fn tree() -> (tempfile::TempDir, OwnedFd) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("a/b")).unwrap();
        fs::write(directory.path().join("a/b/file"), "deep").unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("out")).unwrap();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let detached = open_tree(CWD, directory.path(), flags).unwrap();
        (directory, detached)
    }

    fn table() -> String {
        fs::read_to_string("/proc/thread-self/mountinfo").unwrap()
    }

    #[test]
    fn part_of_a_detached_mount() {
        let (directory, detached) = tree();
        let part = of_detached(detached, "a/b", "image i").unwrap();
        let file = openat(&part, "file", OFlags::RDONLY, Mode::empty()).unwrap();
        assert_eq!(fs::read_to_string(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap(), "deep");
        assert!(openat(&part, "../../out", OFlags::PATH, Mode::empty()).is_err(), "its root is the part's");
        assert!(!table().contains(directory.path().to_str().unwrap()), "the host sees it: {}", table());
    }

    /// What kernels before 6.15 ask for: the mount that is copied is in the copying thread's own namespace.
    #[test]
    fn older_kernels_are_asked_for_nothing_that_they_refuse() {
        let (_directory, detached) = tree();
        let mounted = std::thread::spawn(move || {
            attach(&detached).unwrap();
            let id = statx(&detached, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).unwrap().stx_mnt_id;
            let listed = table().lines().any(|line| line.split(' ').next() == Some(&id.to_string()));
            assert!(listed, "{id} in {}", table());
        });
        mounted.join().unwrap();
    }

    #[test]
    fn what_cannot_be() {
        for (path, text) in [("nosuch", "it is not there"), ("out", "it leads out of it"), ("..", "it leads out of it")]
        {
            let (_directory, detached) = tree();
            let error = of_detached(detached, path, "image i").unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("image i"), "{path}: {error}");
        }
    }
}
