//! The cgroup hierarchies of this host, read once from `/proc/self/mountinfo` and `/proc/self/cgroup`.

use std::path::PathBuf;

use crate::Error;

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
        Err(Error::NoHierarchy)
    }

    /// Which interface limits are set through.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether the host offers a controller, by its v1 or v2 name (`blkio` and `io` are the same).
    pub fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|one| one == controller)
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
}
