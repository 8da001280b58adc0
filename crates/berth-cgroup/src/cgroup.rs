//! One container's groups in every hierarchy: the type everything else here is a part of.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use rustix::fs::{Mode as Bits, OFlags};
use rustix::process::Signal;

use crate::hierarchy::Mode;
use crate::limits::Facts;
use crate::{Error, Hierarchy, OomWatch, Stats, devices, file, freezer, limits, members, oom, stats, systemd, tree};
use systemd::Placeholder;

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
    /// systemd's unit, with its driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// What keeps systemd's scope alive until init is in it.
    #[serde(skip)]
    placeholder: Option<Placeholder>,
}

impl Cgroup {
    /// Makes the cgroup at `path` and sets its limits. The path is absolute within the hierarchies, such as
    /// `/berth/<id>`, or relative to where this process is. What is half made when something fails is removed again.
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
        let mut cgroup = Cgroup::open(hierarchy, path, options.driver)?;
        if let Some(request) = cgroup.request(resources) {
            cgroup.placeholder = Some(systemd::start(&request, systemd::slice(path))?);
        }
        tree::make(&cgroup, hierarchy)?;
        match cgroup.limit_new(resources, options) {
            Ok(warnings) => Ok(Created { cgroup, warnings }),
            Err(error) => {
                let _ = cgroup.settle();
                // What went wrong first is what matters.
                let _ = cgroup.remove();
                Err(error)
            }
        }
    }

    /// Takes up the cgroup at `path` that somebody made before (a runtime's `state`, a restart).
    pub fn open(hierarchy: &Hierarchy, path: &str, driver: Driver) -> Result<Cgroup, Error> {
        let (path, unit) = match driver {
            Driver::Cgroupfs => (path.to_owned(), None),
            Driver::Systemd => systemd::place(path).map(|(path, unit)| (path, Some(unit)))?,
        };
        let directory = |mount: &crate::Mount| {
            Ok(Directory { controllers: mount.controllers.clone(), path: mount.directory(&path)? })
        };
        let directories = hierarchy.used().iter().map(directory).collect::<Result<_, Error>>()?;
        Ok(Cgroup { directories, unified: hierarchy.mode() == Mode::V2, driver, unit, placeholder: None })
    }

    fn request<'a>(&'a self, resources: &'a LinuxResources) -> Option<systemd::Request<'a>> {
        let unit = self.unit.as_deref()?;
        Some(systemd::Request { unit, unified: self.unified, resources })
    }

    /// Whether systemd makes the directories, with somebody in them already.
    pub(crate) fn is_made_by_systemd(&self) -> bool {
        self.unit.is_some()
    }

    /// To be called when init is in. systemd's scope was kept by a placeholder until then; otherwise nothing happens.
    pub fn settle(&self) -> Result<(), Error> {
        let Some(placeholder) = &self.placeholder else { return Ok(()) };
        placeholder.end();
        let Some(limit) = placeholder.holds_back() else { return Ok(()) };
        let mut pids = oci_spec::runtime::LinuxPids::default();
        pids.set_limit(limit);
        let mut resources = LinuxResources::default();
        resources.set_pids(Some(pids));
        self.update(&resources)
    }

    /// Each directory with its controllers (or `name=…`; none on v2): for `/proc`, for mounting, for `state`.
    pub fn directories(&self) -> impl Iterator<Item = (&[String], &Path)> {
        self.directories.iter().map(|one| (one.controllers.as_slice(), one.path.as_path()))
    }

    /// The directory of one controller (any, on v2).
    pub fn directory(&self, controller: &str) -> Option<&Path> {
        let mut all = self.directories.iter();
        let found = all.find(|one| self.unified || one.controllers.iter().any(|name| name == controller))?;
        Some(&found.path)
    }

    /// Whether limits are set through the unified hierarchy.
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// Whether any of its directories is there.
    pub fn exists(&self) -> bool {
        self.directories.iter().any(|one| one.path.is_dir())
    }

    /// What init needs to get in.
    pub fn entrance(&self) -> Result<Entrance, Error> {
        let open = |path: &Path, flags| {
            rustix::fs::open(path, flags | OFlags::CLOEXEC, Bits::empty())
                .map_err(|errno| Error::Read { path: path.to_owned(), source: errno.into() })
        };
        if self.unified {
            let directory = open(&self.directories[0].path, OFlags::PATH | OFlags::DIRECTORY)?;
            return Ok(Entrance { tasks: Vec::new(), directory: Some(directory) });
        }
        let tasks = self.directories.iter().map(|one| open(&one.path.join("tasks"), OFlags::WRONLY));
        Ok(Entrance { tasks: tasks.collect::<Result<_, _>>()?, directory: None })
    }

    /// Moves another process in. Slow on v1 (it waits for RCU): let a process enter by itself where possible.
    pub fn add(&self, pid: i32) -> Result<(), Error> {
        self.directories.iter().try_for_each(|one| file::write(&one.path.join("cgroup.procs"), &pid.to_string()))
    }

    /// Changes limits; what `resources` does not name stays. Devices change only if there are rules.
    pub fn update(&self, resources: &LinuxResources) -> Result<(), Error> {
        if let Some(request) = self.request(resources) {
            systemd::update(&request)?;
        }
        limits::apply(self, self.plan(resources, false)?)?;
        match resources.devices() {
            Some(rules) if !rules.is_empty() => self.limit_devices(&devices::rules(rules)?, false),
            _ => Ok(()),
        }
    }

    fn limit_new(&self, resources: &LinuxResources, options: &Options) -> Result<Vec<Error>, Error> {
        let mut steps = self.plan(resources, true)?;
        if self.placeholder.as_ref().is_some_and(|one| one.holds_back().is_some()) {
            steps.retain(|step| !matches!(step, Ok(setting) if setting.controller == "pids"));
        }
        let mut warnings = Vec::new();
        if options.lenient {
            warnings = limits::apply_leniently(self, steps)?;
        } else {
            limits::apply(self, steps)?;
        }
        let rules = devices::rules(resources.devices().as_deref().unwrap_or_default())?;
        match self.limit_devices(&rules, true) {
            Err(error @ Error::Absent { .. }) if options.lenient => warnings.push(error),
            result => result?,
        }
        Ok(warnings)
    }

    fn plan(&self, resources: &LinuxResources, is_new: bool) -> Result<Vec<limits::Step>, Error> {
        let present = Present { cgroup: self, is_new };
        if self.unified { limits::plan_v2(resources, &present) } else { limits::plan_v1(resources, &present) }
    }

    fn limit_devices(&self, rules: &[devices::Rule], is_new: bool) -> Result<(), Error> {
        let Some(directory) = self.directory("devices") else {
            return Err(Error::Absent { limit: "access to devices", controller: "devices", file: None });
        };
        if self.unified {
            // A new cgroup has no program, and none is needed to allow everything.
            if is_new && devices::allow_everything(rules) { Ok(()) } else { devices::install(directory, rules) }
        } else {
            devices::write_v1(directory, rules, is_new)
        }
    }

    /// Stops every process, those forked meanwhile too; returns when all stand still.
    pub fn freeze(&self) -> Result<(), Error> {
        freezer::freeze(self)
    }

    /// Lets them go on.
    pub fn thaw(&self) -> Result<(), Error> {
        freezer::thaw(self)
    }

    /// Whether the processes may run.
    pub fn freezer(&self) -> Result<Freezer, Error> {
        freezer::state(self)
    }

    /// Sends a signal to every process, those of sub-groups too. SIGKILL reaches a frozen cgroup: it is thawed.
    pub fn kill_all(&self, signal: Signal) -> Result<(), Error> {
        members::signal(self, signal)
    }

    /// Every process, those of sub-groups too, as this process sees them.
    pub fn pids(&self) -> Result<Vec<i32>, Error> {
        members::pids(self)
    }

    /// A moment's figures.
    pub fn stats(&self) -> Result<Stats, Error> {
        stats::read(self)
    }

    /// How many processes were killed for want of memory.
    pub fn oom_kills(&self) -> Result<u64, Error> {
        oom::kills(self)
    }

    /// A descriptor that becomes ready when the memory limit is reached.
    pub fn oom_watch(&self) -> Result<OomWatch, Error> {
        oom::watch(self)
    }

    /// Removes the cgroup and what was made below it. The processes must be gone; those that are only just
    /// going are waited for briefly. A cgroup that is not there is no error.
    pub fn remove(&self) -> Result<(), Error> {
        if let Some(placeholder) = &self.placeholder {
            placeholder.end();
        }
        let stopped = self.unit.as_deref().map_or(Ok(()), systemd::stop);
        tree::remove(self)?;
        stopped
    }
}

/// The kernel's present values of a cgroup.
struct Present<'a> {
    cgroup: &'a Cgroup,
    is_new: bool,
}

impl Present<'_> {
    fn path(&self, controller: &str, file: &str) -> Option<PathBuf> {
        Some(self.cgroup.directory(controller)?.join(file))
    }
}

impl Facts for Present<'_> {
    fn is_new(&self) -> bool {
        self.is_new
    }

    fn has(&self, controller: &str, file: &str) -> bool {
        self.path(controller, file).is_some_and(|path| path.exists())
    }

    fn read(&self, controller: &str, file: &str) -> Option<String> {
        file::read_if_there(&self.path(controller, file)?).ok().flatten()
    }
}
