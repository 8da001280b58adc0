//! A container's root file system: an overlay of an image's layers and a writable directory, as a detached mount.
//!
//! Nothing here appears in the host's mount table: the mount lives as long as the descriptor, or the container whose
//! mount namespace it is attached to.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_sys::mount::{Attributes, Propagation, RDONLY, mount_setattr};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, open_tree,
};

use crate::{Error, Lower, Result};

/// Where a container writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// What the container has changed, in overlay's form.
    pub upper: PathBuf,
    /// Overlay's own; on the same file system.
    pub work: PathBuf,
}

impl Writable {
    /// Makes `upper` and `work` within `directory`, which exists (the container's).
    ///
    /// # Errors
    /// When they cannot be made, or are there.
    pub fn create(directory: &Path) -> Result<Self> {
        let writable = Self::at(directory);
        for path in [&writable.upper, &writable.work] {
            fs::create_dir(path).map_err(Error::file("making", path))?;
        }
        // The root of a container is everybody's to look at, whatever the daemon's umask.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&writable.upper, open).map_err(Error::file("opening up", &writable.upper))?;
        Ok(writable)
    }

    /// Those that were made within `directory`.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self { upper: directory.join("upper"), work: directory.join("work") }
    }

    /// Lets it be mounted again after it was mounted `volatile`. Right after a container's exit; after a loss of
    /// power the upper directory may be anything, and the kernel's refusal is right.
    ///
    /// # Errors
    /// When the mark cannot be removed.
    pub fn forgive_volatile(&self) -> Result<()> {
        let mark = self.work.join("work/incompat");
        match fs::remove_dir_all(&mark) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::file("removing", &mark)(e)),
            _ => Ok(()),
        }
    }
}

/// Mounts an overlay that is attached nowhere.
///
/// `lowers`: topmost first. `volatile`: what is written need not survive a loss of power, and unmounting does not
/// flush the host's file system. `readonly` makes the mount itself read-only.
///
/// # Errors
/// Which directory or step the kernel refused, and why.
pub fn mount_overlay(lowers: &[Lower], upper: &Path, work: &Path, volatile: bool, readonly: bool) -> Result<OwnedFd> {
    let (upper, work) = (upper.to_owned(), work.to_owned());
    where_layers_are(lowers, move |lowers| writable_overlay(lowers, &upper, &work, volatile, readonly))
}

/// Works where overlays over these layers can be made.
fn where_layers_are<T: Send + 'static>(
    lowers: &[Lower],
    work: impl FnOnce(&[Lower]) -> Result<T> + Send + 'static,
) -> Result<T> {
    let Some(apart) = lowers.iter().find_map(Lower::apart) else { return work(lowers) };
    let lowers = lowers.to_vec();
    apart.run(move || work(&lowers))
}

fn writable_overlay(lowers: &[Lower], upper: &Path, work: &Path, volatile: bool, readonly: bool) -> Result<OwnedFd> {
    let failed = |step: &'static str| move |e: Errno| Error::file(step, upper)(e);
    let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("opening overlay for"))?;
    let set = |key: &str, value: &str| fsconfig_set_string(overlay.as_fd(), key, value);
    let mut layers = Layers { overlay: &overlay, opened: Vec::with_capacity(lowers.len() + 2) };
    layers.lower(lowers)?;
    layers.one("upperdir", upper)?;
    layers.one("workdir", work)?;
    // As Docker's overlay2: hard links need no index, and what is copied up is whole.
    set("index", "off").map_err(failed("configuring overlay (index) for"))?;
    set("metacopy", "off").map_err(failed("configuring overlay (metacopy) for"))?;
    layers.one_device(lowers)?;
    if volatile {
        fsconfig_set_flag(overlay.as_fd(), "volatile").map_err(failed("configuring overlay (volatile) for"))?;
    }
    fsconfig_create(overlay.as_fd()).map_err(failed("mounting the overlay at"))?;
    let attributes = if readonly { MountAttrFlags::MOUNT_ATTR_RDONLY } else { MountAttrFlags::empty() };
    fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed("mounting the overlay at"))
}

/// Mounts what an image contains, read-only, attached nowhere. `lowers`: topmost first.
///
/// # Errors
/// Which directory or step the kernel refused, and why.
pub fn mount_readonly(lowers: &[Lower]) -> Result<OwnedFd> {
    where_layers_are(lowers, readonly_overlay)
}

fn readonly_overlay(lowers: &[Lower]) -> Result<OwnedFd> {
    let top = lowers.first().map_or(Path::new(""), Lower::path);
    let failed = |step: &'static str| move |e: Errno| Error::file(step, top)(e);
    let tree = match lowers {
        // Overlay wants two directories at least.
        [only] => open_tree(&*only.open()?, "", CLONE).map_err(failed("opening the layer"))?,
        lowers => {
            let overlay = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("opening overlay for"))?;
            let mut layers = Layers { overlay: &overlay, opened: Vec::with_capacity(lowers.len()) };
            layers.lower(lowers)?;
            layers.one_device(lowers)?;
            fsconfig_create(overlay.as_fd()).map_err(failed("mounting the overlay of"))?;
            fsmount(overlay.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
                .map_err(failed("mounting the overlay of"))?
        }
    };
    let readonly = Attributes { set: RDONLY, propagation: Some(Propagation::Private), ..Attributes::default() };
    mount_setattr(tree.as_fd(), false, &readonly).map_err(failed("making read-only"))?;
    Ok(tree)
}

const CLONE: OpenTreeFlags =
    OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC).union(OpenTreeFlags::AT_EMPTY_PATH);

/// The directories of one overlay, given to the kernel in whatever way it takes.
///
/// A parameter's text may have 255 bytes only, so directories are handed over as descriptors, or else as
/// `/proc/self/fd/N`: overlay takes descriptors since Linux 6.13, and `fsconfig` those of `O_PATH` since a later one.
struct Layers<'a> {
    overlay: &'a OwnedFd,
    opened: Vec<Arc<OwnedFd>>,
}

impl Layers<'_> {
    /// Layer by layer (Linux 6.7), or else as one list, which is then short: 14 layers or so.
    fn lower(&mut self, lowers: &[Lower]) -> Result<()> {
        let mut single = String::new();
        for (n, lower) in lowers.iter().enumerate() {
            let directory = lower.open()?;
            let appended = if single.is_empty() { self.append("lowerdir+", &directory) } else { Err(Errno::INVAL) };
            match appended {
                Ok(()) => {}
                Err(Errno::INVAL) if n == 0 || !single.is_empty() => {
                    let colon = if single.is_empty() { "" } else { ":" };
                    single.push_str(colon);
                    single.push_str(&proc_path(&directory));
                }
                Err(e) => return Err(Error::file("adding the layer", lower.path())(e)),
            }
            self.opened.push(directory);
        }
        if single.is_empty() {
            return Ok(());
        }
        fsconfig_set_string(self.overlay.as_fd(), "lowerdir", single.as_str())
            .map_err(Error::file("adding the layers below", lowers[0].path()))
    }

    /// Layers that are images are file systems of their own. Their files are all said to be on one device all the
    /// same, or `du -x` and `tar --one-file-system` would pass over them.
    fn one_device(&self, lowers: &[Lower]) -> Result<()> {
        if !lowers.iter().any(Lower::is_image) {
            return Ok(());
        }
        fsconfig_set_string(self.overlay.as_fd(), "xino", "on")
            .map_err(Error::file("configuring overlay (xino) for", lowers[0].path()))
    }

    fn one(&mut self, key: &'static str, path: &Path) -> Result<()> {
        let directory = Arc::new(open(path).map_err(Error::file("adding the directory", path))?);
        self.append(key, &directory).map_err(Error::file("adding the directory", path))?;
        self.opened.push(directory);
        Ok(())
    }

    fn append(&self, key: &str, directory: &OwnedFd) -> std::result::Result<(), Errno> {
        match fsconfig_set_fd(self.overlay.as_fd(), key, directory.as_fd()) {
            Err(Errno::INVAL | Errno::BADF) => {
                fsconfig_set_string(self.overlay.as_fd(), key, proc_path(directory).as_str())
            }
            set => set,
        }
    }
}

fn open(path: &Path) -> std::result::Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn proc_path(directory: &OwnedFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", directory.as_raw_fd())
}

/// Takes a directory (a container's, say) out of sight by one rename into `trash`, on the same file system, and
/// removes it off the caller's path.
///
/// # Errors
/// When it cannot be renamed; one that is not there is gone.
pub fn discard(directory: &Path, trash: &Path) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    fs::create_dir_all(trash).map_err(Error::file("making", trash))?;
    let name = format!("{}-d{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    match fs::rename(directory, trash.join(name)) {
        Ok(()) => crate::trash::empty_in_background(trash.to_owned()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::file("removing", directory)(e)),
    }
    Ok(())
}
