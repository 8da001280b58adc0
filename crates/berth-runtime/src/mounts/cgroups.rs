//! The mount of type `cgroup`: one file system on v2, a tmpfs with one mount a hierarchy on v1.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_cgroup::{Cgroup, Hierarchy};
use berth_sys::mount::{Attributes, NODEV, NOEXEC, NOSUID, RDONLY, mount_setattr};
use rustix::fs::symlinkat;

use super::attach::{make, put};
use super::options::{Change, Options};
use super::{New, place, source};
use crate::error::{At, LaunchError, Step};

/// What there is to mount.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The container's cgroup.
    pub(crate) cgroup: Option<&'a Cgroup>,
    /// Whether it has a cgroup namespace of its own, whose root is what is mounted.
    pub(crate) namespace: bool,
}

/// The mounts to make.
#[derive(Debug)]
pub(crate) struct Plan {
    unified: bool,
    hierarchies: Vec<OneHierarchy>,
    attributes: u64,
}

#[derive(Debug)]
struct OneHierarchy {
    controllers: Vec<String>,
    /// Without a cgroup namespace the container's directory is bound.
    tree: Option<OwnedFd>,
}

impl Facts<'_> {
    /// Whether the host has the unified hierarchy only.
    pub(crate) fn unified(&self) -> bool {
        self.hierarchies().iter().all(|(controllers, _)| controllers.is_empty())
    }

    fn hierarchies(&self) -> Vec<(Vec<String>, PathBuf)> {
        if let Some(cgroup) = self.cgroup {
            return cgroup.directories().map(|(controllers, path)| (controllers.to_vec(), path.to_owned())).collect();
        }
        let Ok(host) = Hierarchy::detect() else { return Vec::new() };
        let below = |mount: &berth_cgroup::Mount| {
            let own = mount.own.strip_prefix(&mount.root).unwrap_or(&mount.own);
            mount.mountpoint.join(own.strip_prefix("/").unwrap_or(own))
        };
        let mounts = host.mounts().iter().chain(host.unified().filter(|_| host.mounts().is_empty()));
        mounts.map(|mount| (mount.controllers.clone(), below(mount))).collect()
    }
}

impl Plan {
    pub(crate) fn new(facts: &Facts<'_>, options: &Options) -> Self {
        let hierarchies = facts.hierarchies();
        let unified = hierarchies.iter().all(|(controllers, _)| controllers.is_empty());
        let attributes = NOSUID | NODEV | NOEXEC | options.attributes.set;
        let open = |(controllers, path): (Vec<String>, PathBuf)| {
            let tree = if facts.namespace { None } else { Some(source::clone_tree(&path, false).ok()?) };
            Some(OneHierarchy { controllers, tree })
        };
        // On a hybrid host the unified hierarchy has no controllers: nothing to see there.
        let wanted = hierarchies.into_iter().filter(|(controllers, _)| unified || !controllers.is_empty());
        Self { unified, hierarchies: wanted.filter_map(open).collect(), attributes }
    }

    pub(crate) fn attach(self, root: BorrowedFd<'_>, target: &Path) -> Result<(), LaunchError> {
        let name = || format!("cgroup at {}", target.display());
        let top = place::directory(root, target).at(Step::MountTarget, name)?;
        let change = Attributes { set: self.attributes, ..Attributes::default() };
        if self.unified {
            return match self.hierarchies.into_iter().next() {
                Some(OneHierarchy { tree: Some(tree), .. }) => {
                    mount_setattr(tree.as_fd(), false, &change).at(Step::Mount, name)?;
                    put(tree.as_fd(), top.as_fd()).at(Step::Mount, name)
                }
                _ => {
                    let mounted =
                        make(&file_system("cgroup2", self.attributes, &[])).map_err(|error| error.named(&name()))?;
                    put(mounted.as_fd(), top.as_fd()).at(Step::Mount, name)
                }
            };
        }
        let tmpfs = make(&file_system("tmpfs", self.attributes & !RDONLY, &["mode=755".to_owned()]))
            .map_err(|error| error.named(&name()))?;
        put(tmpfs.as_fd(), top.as_fd()).at(Step::Mount, name)?;
        for one in self.hierarchies {
            one.attach(tmpfs.as_fd(), &change).map_err(|error| error.named_below(target))?;
        }
        mount_setattr(tmpfs.as_fd(), false, &change).at(Step::Mount, name)
    }
}

impl OneHierarchy {
    fn attach(self, tmpfs: BorrowedFd<'_>, change: &Attributes<'_>) -> Result<(), LaunchError> {
        let bare = |controller: &String| controller.trim_start_matches("name=").to_owned();
        let names: Vec<String> = self.controllers.iter().map(bare).collect();
        let joined = names.join(",");
        let name = || joined.clone();
        rustix::fs::mkdirat(tmpfs, joined.as_str(), rustix::fs::Mode::from_raw_mode(0o755)).at(Step::Mount, name)?;
        let mounted = match self.tree {
            Some(tree) => {
                mount_setattr(tree.as_fd(), false, change).at(Step::Mount, name)?;
                tree
            }
            None => {
                make(&file_system("cgroup", change.set, &self.controllers)).map_err(|error| error.named(&joined))?
            }
        };
        let place = place::find(tmpfs, Path::new(&joined)).at(Step::MountTarget, name)?;
        put(mounted.as_fd(), place.as_fd()).at(Step::Mount, name)?;
        for alias in names.iter().filter(|_| names.len() > 1) {
            symlinkat(joined.as_str(), tmpfs, alias.as_str()).at(Step::Mount, name)?;
        }
        Ok(())
    }
}

impl LaunchError {
    fn named_below(mut self, target: &Path) -> Self {
        self.object = format!("cgroup hierarchy {} at {}", self.object, target.display());
        self
    }
}

/// A file system with these options; a named v1 hierarchy has no controller (`none`).
fn file_system(kind: &str, attributes: u64, options: &[String]) -> New {
    let mut data = Vec::new();
    for option in options {
        match option.split_once('=') {
            Some((key, value)) => data.push((key.to_owned(), Some(value.to_owned()))),
            None => data.push((option.clone(), None)),
        }
        if option.starts_with("name=") {
            data.push(("none".to_owned(), None));
        }
    }
    New {
        kind: kind.to_owned(),
        source: kind.to_owned(),
        flags: Vec::new(),
        data,
        attributes,
        recursive: Change::default(),
        propagation: None,
        copy_up: false,
        readonly_last: false,
    }
}
