//! The cgroup hierarchies of this host, read once from `/proc/self/mountinfo` and `/proc/self/cgroup`.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use berth_sys::mountinfo::{self, Mounted};

use crate::{Error, file};

/// Which of the kernel's interfaces limits are set through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every controller (or co-mounted set of them) has a hierarchy of its own.
    V1,
    /// As [`Mode::V1`], with a unified hierarchy beside it that has no controllers.
    Hybrid,
    /// One unified hierarchy.
    V2,
}

/// One mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mount {
    /// Its controllers, or `name=…` of a named one; empty for the unified hierarchy.
    pub controllers: Vec<String>,
    /// Where it is mounted.
    pub mountpoint: PathBuf,
    /// Which directory of the hierarchy is mounted there: `/` unless we are inside somebody's container.
    pub root: PathBuf,
    /// Where in the hierarchy this process is.
    pub own: PathBuf,
}

impl Mount {
    /// The directory of a cgroup: from the mount point if the path is absolute, else from where we are.
    pub fn directory(&self, path: &str) -> Result<PathBuf, Error> {
        let bad = |reason| Error::Path { path: path.to_owned(), reason };
        let asked = Path::new(path);
        if asked.components().any(|part| matches!(part, Component::ParentDir)) {
            return Err(bad("it leads upwards"));
        }
        let mut directory = if asked.is_absolute() { self.mountpoint.clone() } else { self.own_directory() };
        let names = asked.components().filter(|part| matches!(part, Component::Normal(_)));
        let depth = directory.components().count();
        directory.extend(names);
        if directory.components().count() == depth {
            return Err(bad("it names no cgroup"));
        }
        Ok(directory)
    }

    fn own_directory(&self) -> PathBuf {
        let below = self.own.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let names = below.components().filter(|part| matches!(part, Component::Normal(_)));
        let mut directory = self.mountpoint.clone();
        directory.extend(names);
        directory
    }
}

/// The hierarchies of this host. Detect once, keep and share.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Hierarchy {
    mode: Mode,
    mounts: Vec<Mount>,
    unified: Option<Mount>,
    controllers: Vec<String>,
}

impl Hierarchy {
    /// Finds the hierarchies of this host.
    pub fn detect() -> Result<Hierarchy, Error> {
        let table = file::read(Path::new(mountinfo::OWN))?;
        let own = file::read(Path::new("/proc/self/cgroup"))?;
        Hierarchy::from_proc(&table, &own)
    }

    /// [`Hierarchy::detect`] from the text of `/proc/<pid>/mountinfo` and `/proc/<pid>/cgroup`. On v2 the controllers
    /// are read from the mount point.
    pub fn from_proc(table: &str, own: &str) -> Result<Hierarchy, Error> {
        let own = own_paths(own);
        let mut mounts: Vec<Mount> = Vec::new();
        let mut unified = None;
        for (kind, mut mount) in mountinfo::parse(table.as_bytes()).filter_map(mounted) {
            mount.own = own.get(&mount.controllers.join(",")).cloned().unwrap_or_else(|| PathBuf::from("/"));
            match kind {
                Kind::V2 if unified.is_none() => unified = Some(mount),
                // The same hierarchy may be mounted again elsewhere, as in a chroot; the first is the host's.
                Kind::V1 if mounts.iter().all(|one| one.controllers != mount.controllers) => mounts.push(mount),
                _ => {}
            }
        }
        let has_v1 = mounts.iter().flat_map(|one| &one.controllers).any(|one| !one.starts_with("name="));
        match (has_v1, unified) {
            (true, unified) => Ok(Hierarchy::v1(mounts, unified)),
            (false, Some(unified)) => Hierarchy::v2(unified),
            (false, None) => Err(Error::NoHierarchy),
        }
    }

    fn v1(mounts: Vec<Mount>, unified: Option<Mount>) -> Hierarchy {
        let named = |one: &&String| !one.starts_with("name=");
        let controllers = mounts.iter().flat_map(|one| &one.controllers).filter(named).cloned().collect();
        let mode = if unified.is_some() { Mode::Hybrid } else { Mode::V1 };
        Hierarchy { mode, mounts, unified, controllers }
    }

    fn v2(unified: Mount) -> Result<Hierarchy, Error> {
        let controllers = file::read(&unified.mountpoint.join("cgroup.controllers"))?;
        let controllers = controllers.split_whitespace().map(str::to_owned).collect();
        Ok(Hierarchy { mode: Mode::V2, mounts: Vec::new(), unified: Some(unified), controllers })
    }

    /// Which interface limits are set through.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the host offers a controller, by its v1 or v2 name (`blkio` and `io` are the same, and v2's `cpu` counts
    /// as `cpuacct`; `devices` and `freezer` are part of v2 itself).
    pub fn has(&self, controller: &str) -> bool {
        let name = match (self.mode, controller) {
            (Mode::V2, "devices" | "freezer") => return true,
            (Mode::V2, "blkio") => "io",
            (Mode::V2, "cpuacct") => "cpu",
            (Mode::V1 | Mode::Hybrid, "io") => "blkio",
            (_, name) => name,
        };
        self.controllers.iter().any(|one| one == name)
    }

    /// The controllers, by the kernel's names for this mode.
    pub fn controllers(&self) -> &[String] {
        &self.controllers
    }

    /// The v1 hierarchies, one a mount; empty on v2.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The unified hierarchy, on v2 and hybrid hosts.
    pub fn unified(&self) -> Option<&Mount> {
        self.unified.as_ref()
    }

    /// The mounts in which a container's cgroup is made.
    pub(crate) fn used(&self) -> &[Mount] {
        match (self.mode, &self.unified) {
            (Mode::V2, Some(unified)) => std::slice::from_ref(unified),
            _ => &self.mounts,
        }
    }

    /// Removes a cgroup that only held others (such as `/berth`), unless something is still in it.
    pub fn prune(&self, path: &str) {
        for mount in self.used() {
            if let Ok(directory) = mount.directory(path) {
                // Whoever still uses it keeps it: the kernel refuses to remove a cgroup with members or children.
                let _ = std::fs::remove_dir(directory);
            }
        }
    }
}

enum Kind {
    V1,
    V2,
}

/// A mount if it is a cgroup's; `own` is filled in later.
fn mounted(mount: Mounted) -> Option<(Kind, Mount)> {
    let kind = match mount.kind.as_str() {
        "cgroup" => Kind::V1,
        "cgroup2" => Kind::V2,
        _ => return None,
    };
    let controllers = match kind {
        Kind::V1 => mount.options.split(',').filter(|one| is_controller(one)).map(str::to_owned).collect(),
        Kind::V2 => Vec::new(),
    };
    Some((kind, Mount { controllers, mountpoint: mount.point, root: mount.root, own: PathBuf::new() }))
}

/// Whether a mount option of a v1 hierarchy names a controller (or the hierarchy) rather than a property.
fn is_controller(option: &str) -> bool {
    const PROPERTIES: [&str; 8] =
        ["rw", "ro", "noprefix", "xattr", "clone_children", "cpuset_v2_mode", "none", "relatime"];
    !PROPERTIES.contains(&option) && !option.starts_with("release_agent=")
}

/// The lines `id:controllers:path`, by controllers.
fn own_paths(text: &str) -> HashMap<String, PathBuf> {
    let line = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?.to_owned(), PathBuf::from(fields.next()?)))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests;
