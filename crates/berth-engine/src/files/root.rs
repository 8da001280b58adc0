//! A container's root, open, and nothing that leads out of it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_image::Lower;
use berth_sys::mount::{Attributes, RDONLY, mount_setattr};
use oci_spec::runtime::Mount;
use rustix::fs::{AtFlags, CWD, OFlags, ResolveFlags, StatVfsMountFlags, StatxFlags, fstatvfs, openat, openat2, statx};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::OwnedMutexGuard;

use super::{LOOK, NO_MODE, READ};
use crate::ground::Ground;
use crate::plan::namespaces::Joined;
use crate::plan::resources::BlockLimits;
use crate::plan::user::UserFiles;
use crate::plan::{Inputs, mounts};
use crate::view::ContainerView;
use crate::{Error, Result};

/// How often the kernel may ask to be asked again, because somebody renames directories all the time.
const ATTEMPTS: usize = 10_000;

/// The root of a container, with all that is mounted in it.
#[derive(Debug)]
pub(super) struct Root {
    root: OwnedFd,
    /// The mount namespace: the container's, or the one that holds what we mounted.
    namespace: OwnedFd,
    /// The root's own mount.
    mount: u64,
    /// What the user asked to be mounted, by the mounts' ids.
    wanted: BTreeSet<u64>,
    readonly: bool,
    /// Keeps the container from being started while we have its root mounted.
    _lease: Option<OwnedMutexGuard<()>>,
}

impl Root {
    /// The root of a container that runs, as its main process sees it. `None`: it has ended in the meantime.
    pub(super) fn running(ground: &Ground, view: &ContainerView) -> Result<Option<Self>> {
        let Some(pid) = view.state.pid() else { return Ok(None) };
        let failed = || Error::file("opening the root of", view.paths.directory.clone());
        let Some(process) = process(pid.0, view.id.as_str()).map_err(failed())? else { return Ok(None) };
        let opened = || -> rustix::io::Result<_> {
            Ok((
                openat(&process, "root", LOOK | OFlags::DIRECTORY, NO_MODE)?,
                openat(&process, "ns/mnt", READ_FILE, NO_MODE)?,
            ))
        };
        let (root, namespace) = match opened() {
            Err(Errno::SRCH | Errno::NOENT) => return Ok(None),
            opened => opened.map_err(io::Error::from).map_err(failed())?,
        };
        let wanted = wanted(&root, &destinations(ground, view)?);
        Ok(Some(Self::new(root, namespace, wanted, view, None).map_err(failed())?))
    }

    /// The root of a container that does not run, to be read: its writable layer is one more layer of the image, so
    /// it can be started meanwhile, and nothing is flushed when we are done.
    pub(super) fn at_rest(ground: &Ground, view: &ContainerView) -> Result<Self> {
        let mut lowers = ground.images.layers(&view.image_id, view.id.as_str())?;
        lowers.insert(0, Lower::directory(view.paths.upper.clone()));
        let overlay = berth_image::snapshot::mount_readonly(&lowers)?;
        Self::assembled(ground, view, overlay, true, None)
    }

    /// The root of a container that does not run, to be written to.
    pub(super) fn lent(ground: &Ground, view: &ContainerView, lease: OwnedMutexGuard<()>) -> Result<Self> {
        let (overlay, _) =
            crate::task::mount_root(ground, &view.id, &view.image_id, &view.paths, view.spec.auto_remove)?;
        Self::assembled(ground, view, overlay, view.spec.isolation.readonly_rootfs, Some(lease))
    }

    /// With what would be mounted in it, and seen by nobody.
    fn assembled(
        ground: &Ground,
        view: &ContainerView,
        overlay: OwnedFd,
        readonly: bool,
        lease: Option<OwnedMutexGuard<()>>,
    ) -> Result<Self> {
        let failed = || Error::file("mounting the root of", view.paths.directory.clone());
        let mounts = destinations(ground, view)?;
        let (at, binds) = (view.paths.upper.clone(), binds(&mounts));
        // A thread of its own: one that has left the host's mount namespace cannot be given back.
        let thread = std::thread::spawn(move || assemble(&overlay, &at, &binds, readonly));
        let assembled = thread.join().map_err(|_| Error::Internal("mounting a container's root".into()))?;
        let (root, namespace) = assembled.map_err(io::Error::from).map_err(failed())?;
        let wanted = wanted(&root, &mounts);
        Self::new(root, namespace, wanted, view, lease).map_err(failed())
    }

    fn new(
        root: OwnedFd,
        namespace: OwnedFd,
        wanted: BTreeSet<u64>,
        view: &ContainerView,
        lease: Option<OwnedMutexGuard<()>>,
    ) -> io::Result<Self> {
        let mount = mount_of(&root)?;
        let readonly = view.spec.isolation.readonly_rootfs;
        Ok(Self { root, namespace, mount, wanted, readonly, _lease: lease })
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.root
    }

    pub(super) fn mounts(&self) -> &BTreeSet<u64> {
        &self.wanted
    }

    /// The same root, to be given away.
    pub(super) fn reopened(&self) -> Result<OwnedFd> {
        openat(&self.root, ".", READ, NO_MODE)
            .map_err(io::Error::from)
            .map_err(Error::file("opening", "/ in the container"))
    }

    /// Opens a path below the root; links lead where they lead inside.
    pub(super) fn resolve(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        resolve(&self.root, path, flags)
    }

    /// Where an open file lies below the root, without a leading slash.
    pub(super) fn below(&self, file: &OwnedFd) -> Result<Vec<u8>> {
        let at = |file: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let paths = || Ok::<_, io::Error>((at(&self.root)?, at(file)?));
        let (root, path) = paths().map_err(Error::file("looking for", "a path in the container"))?;
        let inside = path.strip_prefix(&root).unwrap_or(&path);
        let inside = inside.strip_prefix("/").unwrap_or(inside);
        Ok(inside.as_os_str().as_encoded_bytes().to_vec())
    }

    /// Refuses what must not be written to, in Docker's words.
    pub(super) fn check_writable(&self, directory: &OwnedFd) -> Result<()> {
        let look = || Ok::<_, io::Error>((mount_of(directory)?, fstatvfs(directory)?.f_flag));
        let (mount, flags) = look().map_err(Error::file("looking at", "a directory of the container"))?;
        match mount == self.mount {
            true if self.readonly => Err(Error::ReadOnly("container rootfs is marked read-only")),
            false if flags.contains(StatVfsMountFlags::RDONLY) => {
                Err(Error::ReadOnly("mounted volume is marked read-only"))
            }
            _ => Ok(()),
        }
    }

    /// The root file system alone, without anything mounted in it.
    pub(super) fn without_mounts(self) -> Result<Self> {
        let (namespace, root) = (self.namespace.try_clone(), openat(&self.root, ".", LOOK, NO_MODE));
        let cloned = std::thread::spawn(move || -> io::Result<OwnedFd> {
            // `setns` wants a root and working directory that no other thread shares.
            berth_sys::namespace::unshare_mounts()?;
            move_into_link_name_space(namespace?.as_fd(), Some(LinkNameSpaceType::Mount))?;
            Ok(open_tree(root?, "", CLONE | OpenTreeFlags::AT_EMPTY_PATH)?)
        });
        let cloned = cloned.join().map_err(|_| Error::Internal("opening a container's root".into()))?;
        let root = cloned.map_err(Error::file("opening the root file system of", "a container"))?;
        Ok(Self { root, ..self })
    }
}

const READ_FILE: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);
const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

/// `/proc/PID` of a container's main process: if another one has that number by now, it is in another cgroup.
fn process(pid: i32, id: &str) -> io::Result<Option<OwnedFd>> {
    let process = match openat(CWD, format!("/proc/{pid}"), LOOK | OFlags::DIRECTORY, NO_MODE) {
        Err(Errno::NOENT) => return Ok(None),
        process => process?,
    };
    let cgroups = openat(&process, "cgroup", READ_FILE, NO_MODE).map_err(io::Error::from);
    let cgroups = cgroups.and_then(|file| io::read_to_string(std::fs::File::from(file)));
    Ok(cgroups.is_ok_and(|cgroups| cgroups.contains(id)).then_some(process))
}

fn resolve(root: &OwnedFd, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = path.trim_start_matches('/');
    let path = if path.is_empty() { "." } else { path };
    for _ in 0..ATTEMPTS {
        match openat2(root, path, flags, NO_MODE, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
    Err(Errno::AGAIN)
}

fn mount_of(file: &OwnedFd) -> io::Result<u64> {
    Ok(statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?.stx_mnt_id)
}

/// What the container has mounted besides what every container has, by the plan that starts it.
pub(super) fn destinations(ground: &Ground, view: &ContainerView) -> Result<Vec<Mount>> {
    Ok(all_mounts(ground, view)?.into_iter().filter(|mount| !is_basic(mount)).collect())
}

/// All that the container has mounted.
pub(super) fn all_mounts(ground: &Ground, view: &ContainerView) -> Result<Vec<Mount>> {
    mounts::all(Inputs {
        id: &view.id,
        spec: &view.spec,
        effective: &view.effective,
        host: &ground.host,
        paths: &view.paths,
        users: &UserFiles::default(),
        devices: &[],
        block: &BlockLimits::default(),
        joined: &Joined::default(),
        cgroup_parent: &ground.cgroup_parent,
        policy: &ground.policy,
        init_program: Path::new(""),
    })
}

/// Kernel interfaces, and the directories they are mounted in.
fn is_basic(mount: &Mount) -> bool {
    match mount.typ().as_deref() {
        Some("proc" | "sysfs" | "cgroup" | "cgroup2" | "devpts" | "mqueue") => true,
        Some("tmpfs") => matches!(mount.destination().to_str(), Some("/dev" | "/dev/shm")),
        _ => false,
    }
}

/// The ids of the mounts that belong to what the user sees as the container's files.
fn wanted(root: &OwnedFd, mounts: &[Mount]) -> BTreeSet<u64> {
    let own = mount_of(root).ok();
    let ids = mounts.iter().filter_map(|mount| {
        let path = mount.destination().to_str()?;
        mount_of(&resolve(root, path, LOOK).ok()?).ok()
    });
    ids.filter(|id| Some(*id) != own).collect()
}

/// Something to bind.
#[derive(Debug)]
struct Bind {
    source: PathBuf,
    target: String,
    readonly: bool,
}

fn binds(mounts: &[Mount]) -> Vec<Bind> {
    let binds = mounts.iter().filter(|mount| mount.typ().as_deref() == Some("bind"));
    let has = |mount: &Mount, word: &str| mount.options().iter().flatten().any(|option| option == word);
    binds
        .filter_map(|mount| {
            Some(Bind {
                source: mount.source().clone()?,
                target: mount.destination().to_str()?.to_owned(),
                readonly: has(mount, "ro"),
            })
        })
        .collect()
}

/// On a thread that leaves the host's mount namespace: the overlay, and in it what the container would have mounted.
fn assemble(overlay: &OwnedFd, at: &Path, binds: &[Bind], readonly: bool) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    berth_sys::namespace::unshare_mounts()?;
    // What is unmounted on the host must not stay mounted here.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    // Before the overlay hides the container's directory.
    let trees: Vec<_> =
        binds.iter().map(|bind| open_tree(CWD, &bind.source, CLONE | OpenTreeFlags::AT_RECURSIVE)).collect();
    move_mount(overlay, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    let root = openat(CWD, at, LOOK | OFlags::DIRECTORY, NO_MODE)?;
    for (bind, tree) in binds.iter().zip(trees) {
        // A source that has gone is for the start to complain about.
        let Ok(tree) = tree else { continue };
        let directory = super::kind(&tree)? == rustix::fs::FileType::Directory;
        let Ok(target) = mount_point(&root, &bind.target, directory) else { continue };
        if bind.readonly {
            mount_setattr(tree.as_fd(), false, &Attributes { set: RDONLY, ..Attributes::default() })?;
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&tree, "", &target, "", flags)?;
    }
    if readonly {
        mount_setattr(root.as_fd(), false, &Attributes { set: RDONLY, ..Attributes::default() })?;
    }
    Ok((root, openat(CWD, "/proc/thread-self/ns/mnt", READ_FILE, NO_MODE)?))
}

/// Where to mount; made where it is missing, as the start would make it.
fn mount_point(root: &OwnedFd, path: &str, directory: bool) -> rustix::io::Result<OwnedFd> {
    match resolve(root, path, LOOK) {
        Err(Errno::NOENT) => {}
        found => return found,
    }
    let (above, name) = path.trim_end_matches('/').rsplit_once('/').ok_or(Errno::INVAL)?;
    let parent = mount_point(root, if above.is_empty() { "/" } else { above }, true)?;
    let (mode, file) = (0o755.into(), OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC);
    match directory {
        true => rustix::fs::mkdirat(&parent, name, mode)?,
        false => drop(openat(&parent, name, file, mode)?),
    }
    openat(&parent, name, LOOK | OFlags::NOFOLLOW, NO_MODE)
}
