//! The container's `/dev`: nodes, the links into `/proc/self/fd`, and hiding or sealing paths of `/proc` and `/sys`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_sys::mount::{Attributes, NODEV, NOEXEC, NOSUID, RDONLY, mount_setattr};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Spec};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Uid, chownat, fstat, major, makedev, minor, mknodat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::error::{At, LaunchError, Step};
use crate::mounts::attach::{Rootfs, copy_of, make, put};
use crate::mounts::options::Change;
use crate::mounts::{New, place, source};

/// What every container has, whatever the specification says.
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("/proc/kcore", "core"),
];

/// One device to make.
#[derive(Debug)]
pub(crate) struct Device {
    path: PathBuf,
    kind: FileType,
    number: (u32, u32),
    mode: u32,
    owner: (u32, u32),
    /// The host's node, where a user namespace forbids making one.
    bound: Option<OwnedFd>,
}

/// Reads the devices of the specification, after the default ones; in a user namespace the host's are opened.
pub(crate) fn read(spec: &Spec, user_namespace: bool) -> Result<Vec<Device>, LaunchError> {
    let default = DEFAULT.iter().map(|(path, major, minor)| Device {
        path: PathBuf::from(path),
        kind: FileType::CharacterDevice,
        number: (*major, *minor),
        mode: 0o666,
        owner: (0, 0),
        bound: None,
    });
    let listed = spec.linux().iter().flat_map(|linux| linux.devices().iter().flatten());
    let mut devices: Vec<Device> = Vec::with_capacity(8);
    for device in default.map(Ok).chain(listed.map(one)) {
        let device = device?;
        devices.retain(|other| other.path != device.path);
        devices.push(device);
    }
    if user_namespace {
        for device in &mut devices {
            device.bound = Some(source::clone_tree(&device.path, false).at(Step::Device, || device.said())?);
        }
    }
    Ok(devices)
}

fn one(device: &LinuxDevice) -> Result<Device, LaunchError> {
    let kind = match device.typ() {
        LinuxDeviceType::B => FileType::BlockDevice,
        LinuxDeviceType::C | LinuxDeviceType::U => FileType::CharacterDevice,
        LinuxDeviceType::P => FileType::Fifo,
        LinuxDeviceType::A => {
            return Err(LaunchError::other(format!("the device {} has no type", device.path().display())));
        }
    };
    let number = |number: i64| u32::try_from(number).unwrap_or(0);
    Ok(Device {
        path: device.path().clone(),
        kind,
        number: (number(device.major()), number(device.minor())),
        mode: device.file_mode().unwrap_or(0o666) & 0o7777,
        owner: (device.uid().unwrap_or(0), device.gid().unwrap_or(0)),
        bound: None,
    })
}

impl Device {
    fn said(&self) -> String {
        self.path.display().to_string()
    }

    /// What stands there already must be it; of the default devices an image may have its own idea.
    fn accept(&self, parent: BorrowedFd<'_>, name: &Path) -> Result<(), Errno> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let same = FileType::from_raw_mode(stat.st_mode) == self.kind
            && (self.kind == FileType::Fifo || (major(stat.st_rdev), minor(stat.st_rdev)) == self.number);
        let default = DEFAULT.iter().any(|(path, ..)| self.path == Path::new(path));
        if same || default { Ok(()) } else { Err(Errno::EXIST) }
    }

    /// Makes it, in `dev` where it lies there directly.
    fn make(&self, root: BorrowedFd<'_>, dev: BorrowedFd<'_>) -> Result<(), Errno> {
        if let Some(tree) = &self.bound {
            return put(tree.as_fd(), place::file(root, &self.path)?.as_fd());
        }
        let found;
        let (parent, name) = match self.path.strip_prefix("/dev") {
            Ok(name) if name.components().count() == 1 => (dev, name),
            _ => {
                let (parent, name) = place::parent(root, &self.path)?;
                found = parent;
                (found.as_fd(), name)
            }
        };
        let mode = Mode::from_raw_mode(self.mode);
        match mknodat(parent, name, self.kind, mode, makedev(self.number.0, self.number.1)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return self.accept(parent, name),
            Err(errno) => return Err(errno),
        }
        let (uid, gid) = self.owner;
        if (uid, gid) != (0, 0) {
            chownat(parent, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }
}

/// Fills `/dev`. The umask must be 0.
pub(crate) fn fill(rootfs: &Rootfs, devices: &[Device]) -> Result<(), LaunchError> {
    if rootfs.foreign_dev {
        return Ok(());
    }
    let root = rootfs.root.as_fd();
    let dev = place::directory(root, Path::new("/dev")).at(Step::Device, || "/dev")?;
    for device in devices {
        device.make(root, dev.as_fd()).at(Step::Device, || device.said())?;
    }
    for (target, name) in LINKS {
        match symlinkat(target, &dev, name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(LaunchError::new(Step::Device, format!("/dev/{name}"), errno)),
        }
    }
    match unlinkat(&dev, "ptmx", AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(LaunchError::new(Step::Device, "/dev/ptmx", errno)),
    }
    symlinkat("pts/ptmx", &dev, "ptmx").at(Step::Device, || "/dev/ptmx")
}

/// What hides files: the container's own null device, or the host's where the container's is something else.
fn open_null(root: BorrowedFd<'_>) -> Result<OwnedFd, LaunchError> {
    let path = Path::new("/dev/null");
    if let Ok(own) = place::find(root, path)
        && is_null(own.as_fd())
    {
        return Ok(own);
    }
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    let null = rustix::fs::openat(CWD, path, flags, Mode::empty()).at(Step::MaskPath, || "/dev/null")?;
    if is_null(null.as_fd()) {
        Ok(null)
    } else {
        Err(LaunchError::other("this host's /dev/null is not the null device"))
    }
}

fn is_null(fd: BorrowedFd<'_>) -> bool {
    fstat(fd).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
            && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3)
    })
}

/// Hides paths: files behind the null device, directories behind one empty read-only tmpfs. What is not there is no error.
pub(crate) fn mask(root: BorrowedFd<'_>, paths: &[String]) -> Result<(), LaunchError> {
    let null = open_null(root)?;
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let failed = |errno| LaunchError::new(Step::MaskPath, path.clone(), errno);
        let place = match place::find(root, Path::new(path)) {
            Ok(place) => place,
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(errno) => return Err(failed(errno)),
        };
        let cover = if place::is_directory(place.as_fd()).map_err(failed)? {
            match &empty {
                Some(first) => copy_of(first.as_fd(), false).map_err(failed)?,
                None => empty_directory(path)?,
            }
        } else {
            copy_of(null.as_fd(), false).map_err(failed)?
        };
        put(cover.as_fd(), place.as_fd()).map_err(failed)?;
        if empty.is_none() && place::is_directory(cover.as_fd()).map_err(failed)? {
            empty = Some(cover);
        }
    }
    Ok(())
}

fn empty_directory(path: &str) -> Result<OwnedFd, LaunchError> {
    let tmpfs = New {
        kind: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        flags: Vec::new(),
        data: vec![("nr_blocks".to_owned(), Some("1".to_owned())), ("nr_inodes".to_owned(), Some("1".to_owned()))],
        attributes: RDONLY | NOSUID | NODEV | NOEXEC,
        recursive: Change::default(),
        propagation: None,
        copy_up: false,
        readonly_last: false,
    };
    make(&tmpfs).map_err(|error| error.named(path))
}

/// Makes paths read-only, with what is mounted below them. What is not there is no error.
pub(crate) fn make_readonly(root: BorrowedFd<'_>, paths: &[String]) -> Result<(), LaunchError> {
    for path in paths {
        let failed = |errno| LaunchError::new(Step::ReadonlyPath, path.clone(), errno);
        let place = match place::find(root, Path::new(path)) {
            Ok(place) => place,
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            Err(errno) => return Err(failed(errno)),
        };
        let copy = copy_of(place.as_fd(), true).map_err(failed)?;
        let change = Attributes { set: RDONLY, ..Attributes::default() };
        mount_setattr(copy.as_fd(), true, &change).map_err(failed)?;
        put(copy.as_fd(), place.as_fd()).map_err(failed)?;
    }
    Ok(())
}
