//! From the specification's mounts to what the newborn mounts: bind sources are opened here, in the caller's mount
//! namespace, as detached trees with their attributes already set, so that `rshared` and `rslave` mean the host's mounts.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_sys::mount::{Attributes, Propagation, RDONLY, mount_setattr};
use oci_spec::runtime::{LinuxIdMapping, Mount, Spec};
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, openat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::options::{self, Change, Options};
use super::{Mounting, New, What, cgroups, place};
use crate::error::{At, LaunchError, Step, cause};
use crate::idmap;

/// Kinds whose super block is the kernel's own or shared: read-only is the mount's business alone.
const PSEUDO: &[&str] = &["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2"];

/// Reads and opens every mount of the specification.
/// `given` stands for the sources of the mounts at its targets.
pub(crate) fn open_all(
    spec: &Spec,
    bundle: &Path,
    given: &[(PathBuf, OwnedFd)],
    groups: &cgroups::Facts<'_>,
) -> Result<Vec<Mounting>, LaunchError> {
    let default = default_propagation(spec)?;
    let label = spec.linux().as_ref().and_then(|linux| linux.mount_label().clone()).filter(|label| !label.is_empty());
    let context = Context { spec, bundle, given, default, label, groups };
    spec.mounts().iter().flatten().map(|mount| context.open(mount)).collect()
}

/// What `rootfsPropagation` says of mounts that say nothing; slave where it says nothing either.
pub(crate) fn default_propagation(spec: &Spec) -> Result<Propagation, LaunchError> {
    let word = spec.linux().as_ref().and_then(|linux| linux.rootfs_propagation().clone()).unwrap_or_default();
    match word.trim_start_matches('r') {
        "" | "slave" => Ok(Propagation::Slave),
        "private" => Ok(Propagation::Private),
        "shared" => Ok(Propagation::Shared),
        "unbindable" => Ok(Propagation::Unbindable),
        _ => Err(LaunchError::other(format!("linux.rootfsPropagation cannot be {word:?}"))),
    }
}

struct Context<'a> {
    spec: &'a Spec,
    bundle: &'a Path,
    given: &'a [(PathBuf, OwnedFd)],
    default: Propagation,
    label: Option<String>,
    groups: &'a cgroups::Facts<'a>,
}

impl Context<'_> {
    fn open(&self, mount: &Mount) -> Result<Mounting, LaunchError> {
        // Older bundles give targets without the leading slash; they mean the root.
        let target = Path::new("/").join(mount.destination());
        let options = options::parse(mount.options().iter().flatten().map(String::as_str));
        let kind = mount.typ().clone().unwrap_or_default();
        let source = mount.source().clone().unwrap_or_default();
        let name = format!("{:?} to rootfs at {:?}", source.display().to_string(), target.display().to_string());
        let what = if options.bind.is_some() || kind == "bind" || kind == "rbind" {
            self.tree(&source, &target, &options, mount, kind == "rbind")?
        } else if kind.is_empty() {
            return Err(LaunchError::other(format!("the mount at {} has neither a type nor bind", target.display())));
        } else if kind == "cgroup" || (kind == "cgroup2" && !self.groups.unified()) {
            What::Cgroups(cgroups::Plan::new(self.groups, &options))
        } else {
            What::New(self.new_file_system(kind, &source, options))
        };
        Ok(Mounting { target, what, name })
    }

    fn tree(
        &self,
        source: &Path,
        target: &Path,
        options: &Options,
        mount: &Mount,
        recursive: bool,
    ) -> Result<What, LaunchError> {
        let recursive = recursive || options.bind == Some(true);
        let source = if source.is_absolute() { source.to_owned() } else { self.bundle.join(source) };
        let given = self.given.iter().find(|(at, _)| at == target);
        let cloned = match (given, &options.namespace) {
            (Some((_, mount)), _) => {
                mount.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            }
            (None, Some(namespace)) => clone_tree_in(Path::new(namespace), &source, recursive),
            (None, None) => clone_tree(&source, recursive),
        };
        let tree = cloned.map_err(|errno| LaunchError {
            step: Step::Specification,
            object: format!(
                "error mounting {:?} to rootfs at {:?}: stat {}: {}",
                source.display().to_string(),
                target.display().to_string(),
                source.display(),
                cause(errno)
            ),
            errno: Some(errno),
        })?;
        let object = || source.display().to_string();
        self.dress(&tree, options).at(Step::Mount, object)?;
        if let Some(namespace) = self.id_mapping(options, mount)? {
            let change = Attributes { user_namespace: Some(namespace.as_fd()), ..Attributes::default() };
            mount_setattr(tree.as_fd(), options.idmap == Some(true), &change)
                .at(Step::Mount, || format!("{} with mapped ids", source.display()))?;
        }
        let directory = place::is_directory(tree.as_fd()).at(Step::MountSource, object)?;
        let proc = fstatfs(&tree).at(Step::MountSource, object)?.f_type == PROC_SUPER_MAGIC;
        Ok(What::Tree { tree, directory, proc })
    }

    /// Sets the tree's propagation and attributes.
    fn dress(&self, tree: &OwnedFd, options: &Options) -> Result<(), rustix::io::Errno> {
        let (propagation, deep) = options.propagation.unwrap_or((self.default, true));
        let change =
            |of: Change, propagation| Attributes { set: of.set, clear: of.clear, propagation, ..Attributes::default() };
        if deep || options.recursive.is_none() {
            let propagation = change(options.recursive, Some(propagation));
            mount_setattr(tree.as_fd(), deep || !options.recursive.is_none(), &propagation)?;
        } else {
            mount_setattr(tree.as_fd(), true, &change(options.recursive, None))?;
            mount_setattr(tree.as_fd(), false, &change(Change::default(), Some(propagation)))?;
        }
        if !options.attributes.is_none() {
            mount_setattr(tree.as_fd(), false, &change(options.attributes, None))?;
        }
        Ok(())
    }

    fn id_mapping(&self, options: &Options, mount: &Mount) -> Result<Option<OwnedFd>, LaunchError> {
        let own = |maps: &Option<Vec<LinuxIdMapping>>| maps.clone().unwrap_or_default();
        let (mut uids, mut gids) = (own(mount.uid_mappings()), own(mount.gid_mappings()));
        if options.idmap.is_none() && uids.is_empty() && gids.is_empty() {
            return Ok(None);
        }
        if let (true, Some(linux)) = (uids.is_empty() && gids.is_empty(), self.spec.linux().as_ref()) {
            (uids, gids) = (own(linux.uid_mappings()), own(linux.gid_mappings()));
        }
        if uids.is_empty() || gids.is_empty() {
            return Err(LaunchError::other(format!(
                "the mount at {} wants mapped ids, and neither it nor the container says how",
                mount.destination().display()
            )));
        }
        idmap::user_namespace(&uids, &gids).map(Some)
    }

    fn new_file_system(&self, kind: String, source: &Path, options: Options) -> New {
        let mut data = options.data;
        if let (Some(label), false) = (&self.label, matches!(kind.as_str(), "proc" | "sysfs" | "cgroup" | "cgroup2")) {
            data.push(("context".to_owned(), Some(label.clone())));
        }
        let mut flags = options.flags;
        let pseudo = PSEUDO.contains(&kind.as_str());
        let readonly = options.attributes.set & RDONLY != 0;
        if readonly && !pseudo {
            flags.push("ro");
        }
        let readonly_last = readonly && kind == "tmpfs";
        let attributes = if readonly_last { options.attributes.set & !RDONLY } else { options.attributes.set };
        let source = if source.as_os_str().is_empty() { PathBuf::from(&kind) } else { source.to_owned() };
        New {
            source: source.display().to_string(),
            flags,
            data,
            attributes,
            recursive: options.recursive,
            propagation: options.propagation.map(|(kind, _)| kind),
            copy_up: options.copy_up && kind == "tmpfs",
            readonly_last,
            kind,
        }
    }
}

/// A detached copy of the mount at `path`, with those below it where `recursive`.
pub(crate) fn clone_tree(path: &Path, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags)
}

/// As [`clone_tree`], of a mount in another mount namespace: the kernel copies only those of the caller's own, so the
/// (single-threaded) caller steps into it and back.
fn clone_tree_in(namespace: &Path, path: &Path, recursive: bool) -> Result<OwnedFd, rustix::io::Errno> {
    let open = |path: &Path| openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let (own, other) = (open(Path::new("/proc/self/ns/mnt"))?, open(namespace)?);
    let enter = |namespace: &OwnedFd| move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount));
    enter(&other)?;
    let tree = clone_tree(path, recursive);
    enter(&own)?;
    tree
}
