//! The layers that are mounted: each image once, attached nowhere, for every root file system that stands on it.
//!
//! Once, because each mount of an image is a file system and a page cache of its own. A mount lives as long as anybody
//! holds its descriptor, or stands on it; a later daemon finds those that containers' processes hold, and takes them
//! up ([`Mounts::adopt`]).
//!
//! Kernels before 6.15 want layers that are attached in the namespace of whoever stands an overlay on them: there each is
//! attached [`Apart`], and through a loop device, as kernels before 6.12 want it anyway: a namespace ends with its daemon,
//! but what is mounted from one device is one file system whoever mounts it.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_erofs::Identity;
use berth_oci::ChainId;
use rustix::fs::{fstat, fstatvfs, major, minor, statfs};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::apart::Apart;
use crate::{Error, Result};

/// `EROFS_SUPER_MAGIC_V1`
const EROFS: i64 = 0xE0F5_E1E2;

/// By what a mount is known: what `statfs` says of it.
type Tag = u64;

/// The mounted layers; every clone is the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts {
    mounted: Arc<Mutex<HashMap<Tag, Arc<OwnedFd>>>>,
    /// Where they are attached; `None`: nowhere.
    apart: Option<Apart>,
    /// The devices of those that an earlier daemon had attached.
    devices: Arc<Mutex<HashMap<Tag, String>>>,
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

/// What a mount is called where it is attached.
fn name(identity: Identity) -> String {
    format!("{:016x}", tag(identity))
}

impl Mounts {
    /// Mounts that are attached.
    pub(super) fn attached(apart: Apart) -> Self {
        Self { apart: Some(apart), ..Self::default() }
    }

    /// Where overlays of these mounts are to be made; `None`: anywhere.
    pub(super) fn apart(&self) -> Option<&Apart> {
        self.apart.as_ref()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Tag, Arc<OwnedFd>>> {
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<Tag, String>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mount of the image at `path`.
    pub(super) fn mount(&self, identity: Identity, path: &Path) -> Result<Arc<OwnedFd>> {
        let Some(apart) = &self.apart else { return self.mount_here(identity, path) };
        // All of it in there, where overlays are mounted as well: nobody waits for the other with the list in hand.
        let (mounts, path) = (self.clone(), path.to_owned());
        apart.run(move || mounts.mount_here(identity, &path))
    }

    fn mount_here(&self, identity: Identity, path: &Path) -> Result<Arc<OwnedFd>> {
        // Whoever wants the same layer meanwhile waits: it must not be mounted twice.
        let mut mounted = self.lock();
        if let Some(mount) = mounted.get(&tag(identity)) {
            return Ok(mount.clone());
        }
        let file = File::open(path).map_err(Error::file("opening the layer", path))?;
        let new = match &self.apart {
            Some(apart) => self.mount_device(identity, file.as_fd()).and_then(|new| apart.attach(name(identity), new)),
            None => mount_file(file.as_fd()),
        };
        let mount = new.map_err(Error::file("mounting the layer", path))?;
        let mount = Arc::new(mount);
        mounted.insert(tag(identity), mount.clone());
        Ok(mount)
    }

    /// Through the device that it is mounted from already, or else a fresh one.
    fn mount_device(&self, identity: Identity, file: BorrowedFd<'_>) -> std::result::Result<OwnedFd, Errno> {
        // The device may be another's by now.
        let is_it = |mount: &OwnedFd| fstatvfs(mount).is_ok_and(|found| found.f_fsid == tag(identity));
        let known = self.devices().remove(&tag(identity));
        match known.and_then(|device| mount_source(&device).ok()).filter(is_it) {
            Some(mount) => Ok(mount),
            None => mount_through_loop(file),
        }
    }

    /// The layer is gone: nobody needs its mount but those who hold it.
    pub(super) fn forget(&self, identity: Identity) {
        let removed = self.lock().remove(&tag(identity));
        if let (Some(_), Some(apart)) = (removed, &self.apart) {
            apart.detach(&name(identity));
        }
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
            match &self.apart {
                None => drop(self.lock().entry(tag).or_insert_with(|| Arc::new(held))),
                Some(_) => self.devices().extend(loop_device(&held).map(|device| (tag, device))),
            }
        }
        Ok(())
    }
}

fn descriptors(process: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The loop device of a file system, if it has one.
fn loop_device(mount: &OwnedFd) -> Option<String> {
    const LOOP: u32 = 7;
    let device = fstat(mount).ok()?.st_dev;
    (major(device) == LOOP).then(|| format!("/dev/loop{}", minor(device)))
}

/// Mounts an image from its file (Linux 6.12), or where that cannot be through a loop device; attached nowhere.
fn mount_file(file: BorrowedFd<'_>) -> std::result::Result<OwnedFd, Errno> {
    // A parameter's text may have 255 bytes only.
    match mount_source(&format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Err(Errno::NOTBLK) => mount_through_loop(file),
        mounted => mounted,
    }
}

fn mount_through_loop(file: BorrowedFd<'_>) -> std::result::Result<OwnedFd, Errno> {
    // The device lasts as long as the mount.
    let (_device, path) = berth_sys::loops::attach(file)?;
    mount_source(&path)
}

fn mount_source(source: &str) -> std::result::Result<OwnedFd, Errno> {
    let erofs = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(erofs.as_fd(), "source", source)?;
    // A device that cannot be written to wants to hear that.
    fsconfig_set_flag(erofs.as_fd(), "ro")?;
    fsconfig_create(erofs.as_fd())?;
    fsmount(erofs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use berth_archive::{Limits, Stream, Writer};
    use berth_erofs::Image;

    use super::*;

    /// Of halves that differ, or the kernel's number of it would be 0, as of any such.
    const OTHER: Identity = *b"one half another";

    fn image(identity: Identity) -> tempfile::NamedTempFile {
        let archive = Writer::new(Stream(Vec::new())).finish().unwrap().0;
        let file = tempfile::NamedTempFile::new().unwrap();
        Image::write(&archive[..], file.as_file(), Limits::default()).unwrap().seal(file.as_file(), identity).unwrap();
        file
    }

    #[test]
    fn once_each_where_they_are_attached() {
        let (image, place) = (image(OTHER), tempfile::tempdir().unwrap());
        let mounts = Mounts::attached(Apart::begin(place.path()).unwrap());
        let first = mounts.mount(OTHER, image.path()).unwrap();
        assert!(Arc::ptr_eq(&first, &mounts.mount(OTHER, image.path()).unwrap()));
        let attached = place.path().join(name(OTHER));
        let is_there = |path: std::path::PathBuf| mounts.apart().unwrap().run(move || path.exists());
        assert!(is_there(attached.clone()) && !attached.exists());
        // A later daemon has another namespace; the file system is the same.
        let other = tempfile::tempdir().unwrap();
        let later = Mounts::attached(Apart::begin(other.path()).unwrap());
        later.adopt(std::process::id().cast_signed());
        let second = later.mount(OTHER, image.path()).unwrap();
        assert_eq!(fstat(&first).unwrap().st_dev, fstat(&second).unwrap().st_dev);
        mounts.forget(OTHER);
        assert!(!is_there(attached));
        mounts.mount(OTHER, Path::new("/nowhere")).unwrap_err();
        // The device is free again once the last is gone.
        let backing = loop_device(&first).unwrap().replace("/dev/", "/sys/block/") + "/loop/backing_file";
        let is_ours =
            || std::fs::read_to_string(&backing).is_ok_and(|path| path.trim_end() == image.path().to_str().unwrap());
        assert!(is_ours());
        later.forget(OTHER);
        drop((first, second));
        while is_ours() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
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
