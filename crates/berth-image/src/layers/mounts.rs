//! The layers that are mounted: each image once, attached nowhere, for every root file system that stands on it.
//!
//! Once, because each mount of an image is a file system and a page cache of its own. A mount lives as long as anybody
//! holds its descriptor, or stands on it; a later daemon finds those that containers' processes hold, and takes them
//! up ([`Mounts::adopt`]).

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_erofs::Identity;
use berth_oci::ChainId;
use rustix::fs::{fstatvfs, statfs};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::{Error, Result};

/// `EROFS_SUPER_MAGIC_V1`
const EROFS: i64 = 0xE0F5_E1E2;

/// By what a mount is known: what `statfs` says of it.
type Tag = u64;

/// The mounted layers; every clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts {
    mounted: Arc<Mutex<HashMap<Tag, Arc<OwnedFd>>>>,
}

/// What the image of a layer is told from others by: the first half of its chain id.
pub(crate) fn identity(chain: &ChainId) -> Identity {
    let digit = |at: usize| u8::from_str_radix(chain.hex().get(at..at + 2).unwrap_or("0"), 16).unwrap_or(0);
    std::array::from_fn(|n| digit(2 * n))
}

/// How the kernel folds an identity into a file system's number (`uuid_to_fsid`).
fn tag(identity: Identity) -> Tag {
    let (mut low, mut high) = ([0; 8], [0; 8]);
    low.copy_from_slice(&identity[..8]);
    high.copy_from_slice(&identity[8..]);
    u64::from_le_bytes(low) ^ u64::from_le_bytes(high)
}

impl Mounts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Tag, Arc<OwnedFd>>> {
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mount of the image at `path`.
    pub(super) fn mount(&self, identity: Identity, path: &Path) -> Result<Arc<OwnedFd>> {
        // Whoever wants the same layer meanwhile waits: it must not be mounted twice.
        let mut mounted = self.lock();
        if let Some(mount) = mounted.get(&tag(identity)) {
            return Ok(mount.clone());
        }
        let file = File::open(path).map_err(Error::file("opening the layer", path))?;
        let mount = Arc::new(mount_image(file.as_fd()).map_err(Error::file("mounting the layer", path))?);
        mounted.insert(tag(identity), mount.clone());
        Ok(mount)
    }

    /// The layer is gone: nobody needs its mount but those who hold it.
    pub(super) fn forget(&self, identity: Identity) {
        self.lock().remove(&tag(identity));
    }

    /// Takes up the mounts that a process holds; best effort: what is missed is mounted again when it is wanted.
    pub(crate) fn adopt(&self, process: i32) {
        let adopted = self.adopt_from(process);
        if let Err(error) = adopted {
            tracing::debug!(process, %error, "a process does not give the layers away that it holds");
        }
    }

    fn adopt_from(&self, process: i32) -> std::result::Result<(), Errno> {
        let pid = Pid::from_raw(process).ok_or(Errno::SRCH)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        for number in descriptors(process) {
            let link = format!("/proc/{process}/fd/{number}");
            if !statfs(&*link).is_ok_and(|fs| fs.f_type == EROFS) {
                continue;
            }
            // The very open file, not another one of the same mount: the mount lasts as long as its last holder.
            let held = pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty())?;
            let tag = fstatvfs(&held)?.f_fsid;
            self.lock().entry(tag).or_insert_with(|| Arc::new(held));
        }
        Ok(())
    }
}

fn descriptors(process: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Mounts an image from its file (Linux 6.12), attached nowhere.
pub(super) fn mount_image(file: BorrowedFd<'_>) -> std::result::Result<OwnedFd, Errno> {
    let erofs = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    // A parameter's text may have 255 bytes only.
    fsconfig_set_string(erofs.as_fd(), "source", format!("/proc/self/fd/{}", file.as_raw_fd()).as_str())?;
    fsconfig_create(erofs.as_fd())?;
    fsmount(erofs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use berth_archive::{Limits, Stream, Writer};
    use berth_erofs::Image;

    use super::*;

    fn image(identity: Identity) -> tempfile::NamedTempFile {
        let archive = Writer::new(Stream(Vec::new())).finish().unwrap().0;
        let file = tempfile::NamedTempFile::new().unwrap();
        Image::write(&archive[..], file.as_file(), Limits::default()).unwrap().seal(file.as_file(), identity).unwrap();
        file
    }

    #[test]
    fn once_each_and_taken_up_by_the_next() {
        let (one, other) = (image([1; 16]), image(*b"0123456789abcdef"));
        let mounts = Mounts::default();
        let first = mounts.mount([1; 16], one.path()).unwrap();
        assert!(Arc::ptr_eq(&first, &mounts.mount([1; 16], one.path()).unwrap()));
        mounts.mount(*b"0123456789abcdef", other.path()).unwrap();
        assert_eq!(mounts.lock().len(), 2);
        // A later daemon, and what it finds with a process that holds them: here, ourselves.
        let later = Mounts::default();
        later.adopt(std::process::id().cast_signed());
        drop((one, other));
        later.mount([1; 16], Path::new("/nowhere")).unwrap();
        later.mount(*b"0123456789abcdef", Path::new("/nowhere")).unwrap();
        later.forget([1; 16]);
        later.mount([1; 16], Path::new("/nowhere")).unwrap_err();
    }
}
