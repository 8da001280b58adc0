//! A thread with a mount namespace that nobody else sees, for kernels before 6.15: their overlay takes only layers that
//! are attached somewhere in the namespace of whoever mounts it, and the host's mount table is to have none of ours.
//!
//! The namespace is a copy of the daemon's, follows what is unmounted there, and ends with the thread.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::ThreadId;

use berth_sys::namespace::unshare_mounts;
use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, UnmountFlags, mount, mount_change, move_mount, unmount,
};

type Work = Box<dyn FnOnce() + Send>;

/// The thread; every clone is the same. It ends with the last of them.
#[derive(Debug, Clone)]
pub(crate) struct Apart {
    thread: ThreadId,
    works: Sender<Work>,
    /// Where mounts are attached, in there.
    place: PathBuf,
}

impl Apart {
    /// `place`: a directory, which in there has a file system of its own.
    pub(super) fn begin(place: &Path) -> Result<Self, Errno> {
        let (works, received) = channel::<Work>();
        let (ready, began) = sync_channel(1);
        let here = place.to_owned();
        let thread = std::thread::Builder::new().name("layers".to_owned()).spawn(move || {
            let entered = enter(&here);
            if ready.send(entered).is_ok() && entered.is_ok() {
                received.iter().for_each(|work| work());
            }
        });
        let thread = thread.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        began.recv().unwrap_or(Err(Errno::IO))?;
        Ok(Self { thread: thread.thread().id(), works, place: place.to_owned() })
    }

    /// Works in there, and waits for what comes of it. Paths lead where they lead outside.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        if std::thread::current().id() == self.thread {
            return work();
        }
        let (done, result) = sync_channel(1);
        let sent = self.works.send(Box::new(move || drop(done.send(work()))));
        assert!(sent.is_ok(), "the thread ends with its last owner");
        result.recv().expect("no work panics")
    }

    /// Attaches a mount under a name. Its descriptor is good for overlays that are mounted in there.
    pub(super) fn attach(&self, name: String, mount: OwnedFd) -> Result<OwnedFd, Errno> {
        let target = self.place.join(name);
        self.run(move || {
            mkdirat(CWD, &target, Mode::RWXU)?;
            let attached = move_mount(&mount, "", CWD, &target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
            if let Err(error) = attached {
                drop(std::fs::remove_dir(&target));
                return Err(error);
            }
            Ok(mount)
        })
    }

    /// Detaches what was attached under a name. It lives on as long as somebody holds it or stands on it.
    pub(super) fn detach(&self, name: &str) {
        let target = self.place.join(name);
        self.run(move || {
            if let Err(error) = unmount(&target, UnmountFlags::DETACH) {
                tracing::debug!(%error, target = %target.display(), "detaching a layer");
            }
            drop(std::fs::remove_dir(&target));
        });
    }
}

/// Moves the calling thread into the namespace.
fn enter(place: &Path) -> Result<(), Errno> {
    unshare_mounts()?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    mount("tmpfs", place, "tmpfs", MountFlags::empty(), c"mode=0700")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_in_there_is_seen_by_nobody_else() {
        let place = tempfile::tempdir().unwrap();
        let apart = Apart::begin(place.path()).unwrap();
        let file = place.path().join("file");
        let inside = file.clone();
        apart.run(move || std::fs::write(inside, "x").unwrap());
        assert!(!file.exists());
        let (again, nested) = (apart.clone(), file.clone());
        assert!(apart.run(move || again.run(move || nested.exists())));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(place.path().to_str().unwrap()));
    }
}
