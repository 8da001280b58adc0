//! Mounting, in the newborn's mount namespace, below the container's root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use berth_sys::mount::{Attributes, RDONLY, mount_setattr};
use rustix::fs::{CWD, PROC_SUPER_MAGIC, fstatfs};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, move_mount, open_tree,
};

use super::{Mounting, New, What, place};
use crate::error::{At, LaunchError, Step};

/// The longest value `fsconfig` takes.
const LONGEST_VALUE: usize = 255;

/// Files of procfs that may be covered by a file of the container's, as lxcfs does.
const FAKES_IN_PROC: &[&str] = &[
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/net/dev",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// The container's root and what later steps need of its mounts.
#[derive(Debug)]
pub(crate) struct Rootfs {
    /// The root directory.
    pub(crate) root: OwnedFd,
    /// The container's procfs: the mount itself, whatever is mounted over it later.
    pub(crate) proc: Option<OwnedFd>,
    /// The container's devpts.
    pub(crate) devpts: Option<OwnedFd>,
    /// Whether `/dev` is the host's, bound: then nothing is made in it.
    pub(crate) foreign_dev: bool,
    readonly_last: Vec<OwnedFd>,
}

impl Rootfs {
    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { root, proc: None, devpts: None, foreign_dev: false, readonly_last: Vec::new() }
    }

    /// Makes one mount.
    pub(crate) fn attach(&mut self, mounting: Mounting) -> Result<(), LaunchError> {
        let Mounting { target, what, name } = mounting;
        match what {
            What::Tree { tree, directory, proc } => {
                let place = if directory {
                    place::directory(self.root.as_fd(), &target)
                } else {
                    place::file(self.root.as_fd(), &target)
                };
                let place = place.at(Step::MountTarget, || name.clone())?;
                refuse_inside_proc(place.as_fd(), &target, proc)?;
                put(tree.as_fd(), place.as_fd()).at(Step::Mount, || name)?;
                self.foreign_dev |= place::lexically(&target) == Path::new("/dev");
            }
            What::New(new) => self.attach_new(new, &target, &name)?,
            What::Cgroups(plan) => plan.attach(self.root.as_fd(), &target)?,
        }
        Ok(())
    }

    fn attach_new(&mut self, new: New, target: &Path, name: &str) -> Result<(), LaunchError> {
        // Of these later steps rely to be where they say.
        let plain = matches!(new.kind.as_str(), "proc" | "sysfs");
        let place = place::directory(self.root.as_fd(), target)
            .and_then(|place| if plain { place::find_without_links(self.root.as_fd(), target) } else { Ok(place) })
            .at(Step::MountTarget, || name)?;
        refuse_inside_proc(place.as_fd(), target, new.kind == "proc")?;
        if new.data.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > LONGEST_VALUE)) {
            return mount_with_long_data(&new, place).at(Step::Mount, || name);
        }
        let mounted = make(&new).map_err(|error| error.named(name))?;
        if new.copy_up {
            let below = place::read_directory(self.root.as_fd(), target).at(Step::MountTarget, || name)?;
            crate::copy_up::copy(below, mounted.as_fd())
                .at(Step::Mount, || format!("{name} with a copy of what it covers"))?;
        }
        put(mounted.as_fd(), place.as_fd()).at(Step::Mount, || name)?;
        match new.kind.as_str() {
            "proc" => self.proc = self.proc.take().or(Some(mounted)),
            "devpts" => self.devpts = Some(mounted),
            _ if new.readonly_last => self.readonly_last.push(mounted),
            _ => {}
        }
        Ok(())
    }

    /// Makes read-only what had to be written to until now.
    pub(crate) fn seal(&mut self, readonly_root: bool) -> Result<(), LaunchError> {
        let change = Attributes { set: RDONLY, ..Attributes::default() };
        for mount in self.readonly_last.drain(..) {
            mount_setattr(mount.as_fd(), false, &change).at(Step::Mount, || "a tmpfs read-only")?;
        }
        if readonly_root {
            mount_setattr(self.root.as_fd(), false, &change).at(Step::PrepareRoot, || "read-only")?;
        }
        Ok(())
    }
}

/// Attaches a detached tree.
pub(crate) fn put(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<(), Errno> {
    let empty = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, c"", place, c"", empty)
}

/// A detached copy of the mount that `of` is in, with that as its root.
pub(crate) fn copy_of(of: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(of, c"", flags)
}

/// Why a file system could not be made, with what it said itself.
pub(crate) struct MakeError {
    errno: Errno,
    said: String,
}

impl MakeError {
    fn new(context: &OwnedFd, errno: Errno) -> Self {
        let mut text = [0_u8; 512];
        let length = rustix::io::read(context, &mut text).unwrap_or(0);
        let said = String::from_utf8_lossy(&text[..length]);
        Self { errno, said: said.trim_start_matches("e ").trim().to_owned() }
    }

    pub(crate) fn named(self, name: &str) -> LaunchError {
        let said = if self.said.is_empty() { String::new() } else { format!(" ({})", self.said) };
        LaunchError::new(Step::Mount, format!("{name}{said}"), self.errno)
    }
}

/// Makes a file system, detached.
pub(crate) fn make(new: &New) -> Result<OwnedFd, MakeError> {
    let bare = |errno| MakeError { errno, said: String::new() };
    let context = fsopen(new.kind.as_str(), FsOpenFlags::FSOPEN_CLOEXEC).map_err(bare)?;
    configure(&context, new).map_err(|errno| MakeError::new(&context, errno))?;
    let attributes = MountAttrFlags::from_bits_retain(new.attributes as u32);
    let mounted = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(bare)?;
    if !new.recursive.is_none() || new.propagation.is_some() {
        let Change { set, clear } = new.recursive;
        let change = Attributes { set, clear, propagation: new.propagation, ..Attributes::default() };
        mount_setattr(mounted.as_fd(), true, &change).map_err(bare)?;
    }
    Ok(mounted)
}

use super::options::Change;

fn configure(context: &OwnedFd, new: &New) -> Result<(), Errno> {
    fsconfig_set_string(context, "source", new.source.as_str())?;
    for flag in &new.flags {
        fsconfig_set_flag(context, *flag)?;
    }
    for (key, value) in &new.data {
        match value {
            Some(value) => fsconfig_set_string(context, key.as_str(), value.as_str())?,
            None => fsconfig_set_flag(context, key.as_str())?,
        }
    }
    fsconfig_create(context)
}

/// `mount(2)` takes a page of options where `fsconfig` takes 255 bytes a value (overlay's `lowerdir`).
fn mount_with_long_data(new: &New, place: OwnedFd) -> Result<(), Errno> {
    let word = |(key, value): &(String, Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    };
    let data = new.data.iter().map(word).collect::<Vec<_>>().join(",");
    let data = std::ffi::CString::new(data).map_err(|_| Errno::INVAL)?;
    let mut flags = MountFlags::empty();
    for (bit, flag) in [
        (berth_sys::mount::RDONLY, MountFlags::RDONLY),
        (berth_sys::mount::NOSUID, MountFlags::NOSUID),
        (berth_sys::mount::NODEV, MountFlags::NODEV),
        (berth_sys::mount::NOEXEC, MountFlags::NOEXEC),
        (berth_sys::mount::NOATIME, MountFlags::NOATIME),
        (berth_sys::mount::NODIRATIME, MountFlags::NODIRATIME),
        (berth_sys::mount::STRICTATIME, MountFlags::STRICTATIME),
    ] {
        if new.attributes & bit != 0 {
            flags |= flag;
        }
    }
    // The mount point is reached as the current directory, so that no path of the container's is looked up again.
    let before = rustix::fs::openat(
        CWD,
        ".",
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    rustix::process::fchdir(&place)?;
    let done = mount(new.source.as_str(), ".", new.kind.as_str(), flags, data.as_c_str());
    rustix::process::fchdir(before)?;
    done
}

/// A mount inside procfs could make the runtime, or a program that trusts `/proc`, believe what is not so.
fn refuse_inside_proc(place: BorrowedFd<'_>, target: &Path, is_proc: bool) -> Result<(), LaunchError> {
    let inside = fstatfs(place).at(Step::MountTarget, || target.display().to_string())?.f_type == PROC_SUPER_MAGIC;
    let clean = place::lexically(target);
    let allowed = FAKES_IN_PROC.iter().any(|fake| clean == Path::new(fake)) || (is_proc && clean == Path::new("/proc"));
    if inside && !allowed {
        return Err(LaunchError::other(format!(
            "{:?} cannot be mounted because it is inside /proc",
            target.display().to_string()
        )));
    }
    Ok(())
}
