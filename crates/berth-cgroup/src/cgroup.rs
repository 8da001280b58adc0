//! One container's groups in every hierarchy: the type everything else here is a part of.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::process::Signal;

use crate::{Error, Hierarchy, OomWatch, Stats};

/// Who makes the cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// We do, in the file system.
    #[default]
    Cgroupfs,
    /// systemd does, as a transient scope: the path is `slice:prefix:name`.
    Systemd,
}

/// How a cgroup is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Who makes it.
    pub driver: Driver,
    /// Give back what this host cannot limit as [`Created::warnings`] instead of failing.
    pub lenient: bool,
}

/// A cgroup that was made, and what was left out.
#[derive(Debug)]
pub struct Created {
    /// The cgroup.
    pub cgroup: Cgroup,
    /// Limits this host cannot set; empty unless [`Options::lenient`].
    pub warnings: Vec<Error>,
}

/// How a process gets in by itself. Opened before the process is made, so that it needs no path.
#[derive(Debug)]
pub struct Entrance {
    /// v1: the `tasks` file of each hierarchy, open for writing. A single-threaded process writes `0` to each.
    pub tasks: Vec<OwnedFd>,
    /// v2: the directory, for `clone3` with `CLONE_INTO_CGROUP`.
    pub directory: Option<OwnedFd>,
}

/// Whether a cgroup's processes may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freezer {
    /// They may.
    Thawed,
    /// Some are stopped already.
    Freezing,
    /// They all stand still.
    Frozen,
}

/// One directory of a cgroup.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Directory {
    pub(crate) controllers: Vec<String>,
    pub(crate) path: PathBuf,
}

/// One container's cgroup, in whichever hierarchies the host has. Serialise it to take it up in another process.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cgroup {
    directories: Vec<Directory>,
    unified: bool,
    #[serde(default)]
    driver: Driver,
}

impl Cgroup {
    /// Makes the cgroup at `path` (absolute within the hierarchies, such as `/berth/<id>`) and sets its limits.
    /// What is half made when something fails is removed again.
    pub fn create(hierarchy: &Hierarchy, path: &str, resources: &LinuxResources) -> Result<Cgroup, Error> {
        Cgroup::create_with(hierarchy, path, resources, &Options::default()).map(|created| created.cgroup)
    }

    /// [`Cgroup::create`] with a driver, and leniently where asked.
    pub fn create_with(
        hierarchy: &Hierarchy,
        path: &str,
        resources: &LinuxResources,
        options: &Options,
    ) -> Result<Created, Error> {
        let _ = (hierarchy, path, resources, options);
        Err(Error::NoHierarchy)
    }

    /// Takes up the cgroup at `path` that somebody made before (a runtime's `state`, a restart).
    pub fn open(hierarchy: &Hierarchy, path: &str, driver: Driver) -> Result<Cgroup, Error> {
        let _ = (hierarchy, path, driver);
        Err(Error::NoHierarchy)
    }

    /// Each directory with its controllers (or `name=…`; none on v2): for `/proc`, for mounting, for `state`.
    pub fn directories(&self) -> impl Iterator<Item = (&[String], &Path)> {
        self.directories.iter().map(|one| (one.controllers.as_slice(), one.path.as_path()))
    }

    /// The directory of one controller (any, on v2).
    pub fn directory(&self, controller: &str) -> Option<&Path> {
        let all = self.unified;
        self.directories
            .iter()
            .find(|one| all || one.controllers.iter().any(|c| c == controller))
            .map(|one| one.path.as_path())
    }

    /// Whether any of its directories is there.
    pub fn exists(&self) -> bool {
        self.directories.iter().any(|one| one.path.is_dir())
    }

    /// What init needs to get in.
    pub fn entrance(&self) -> Result<Entrance, Error> {
        Err(Error::NoHierarchy)
    }

    /// Moves another process in. Slow on v1 (it waits for RCU): let a process enter by itself where possible.
    pub fn add(&self, pid: i32) -> Result<(), Error> {
        let _ = pid;
        Err(Error::NoHierarchy)
    }

    /// Changes limits; what `resources` does not name stays.
    pub fn update(&self, resources: &LinuxResources) -> Result<(), Error> {
        let _ = resources;
        Err(Error::NoHierarchy)
    }

    /// Stops every process, those forked meanwhile too; returns when all stand still.
    pub fn freeze(&self) -> Result<(), Error> {
        Err(Error::NoHierarchy)
    }

    /// Lets them go on.
    pub fn thaw(&self) -> Result<(), Error> {
        Err(Error::NoHierarchy)
    }

    /// Whether the processes may run.
    pub fn freezer(&self) -> Result<Freezer, Error> {
        Err(Error::NoHierarchy)
    }

    /// Sends a signal to every process, those of sub-groups too. SIGKILL reaches a frozen cgroup: it is thawed.
    pub fn kill_all(&self, signal: Signal) -> Result<(), Error> {
        let _ = signal;
        Err(Error::NoHierarchy)
    }

    /// Every process, those of sub-groups too, as this process sees them.
    pub fn pids(&self) -> Result<Vec<i32>, Error> {
        Err(Error::NoHierarchy)
    }

    /// A moment's figures.
    pub fn stats(&self) -> Result<Stats, Error> {
        Err(Error::NoHierarchy)
    }

    /// How many processes were killed for want of memory.
    pub fn oom_kills(&self) -> Result<u64, Error> {
        Err(Error::NoHierarchy)
    }

    /// A descriptor that becomes readable when the memory limit is reached.
    pub fn oom_watch(&self) -> Result<OomWatch, Error> {
        Err(Error::NoHierarchy)
    }

    /// Removes the cgroup and what was made below it. The processes must be gone; those that are only just
    /// going are waited for briefly. A cgroup that is not there is no error.
    pub fn remove(&self) -> Result<(), Error> {
        Err(Error::NoHierarchy)
    }
}
