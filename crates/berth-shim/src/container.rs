//! The container itself: its birth, its cgroup, the processes that join it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use berth_cgroup::{Cgroup, Freezer, Hierarchy};
use berth_runtime::{Born, Class, HostPid, Join, LaunchError, Start};
use berth_seccomp::Filter;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::clock::Moment;
use crate::foreign::{self, Foreign};
use crate::protocol::{Blob, CgroupPlan, Code, Exec, Failure, Launch, LogPlan, Root, Streams};
use crate::record::ExitRecord;
use crate::session::Session;
use crate::stdio::Prepared;

/// What stays known of a launched container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) started_at: String,
    pub(crate) record: PathBuf,
    pub(crate) durable: bool,
    pub(crate) socket: PathBuf,
    pub(crate) cgroup: Option<Cgroup>,
    seccomp: Option<Filter>,
    /// Init's death is not the death of all: it has no pid namespace of its own.
    pub(crate) shares_pids: bool,
    no_new_keyring: bool,
    /// Its runtime, where that is not ours.
    foreign: Option<Foreign>,
    /// Kept open, for a later daemon to find.
    _held: Vec<OwnedFd>,
}

/// A client to attach.
pub(crate) type Attachment = (Streams, OwnedFd);

/// A container at its birth.
#[derive(Debug)]
pub(crate) struct Newborn {
    pub(crate) container: Container,
    pub(crate) init: Session,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) log: LogPlan,
}

/// A failure without a kind of its own.
pub(crate) fn failure(code: Code, message: impl std::fmt::Display) -> Failure {
    Failure { code, message: message.to_string() }
}

fn other(message: impl std::fmt::Display) -> Failure {
    failure(Code::Other, message)
}

fn refused(error: &LaunchError) -> Failure {
    let code = match error.class() {
        Class::NotFound => Code::NotFound,
        Class::NotExecutable => Code::NotExecutable,
        Class::Other => Code::Other,
    };
    failure(code, error)
}

/// Launches a container. After a failure nothing of it is left.
pub(crate) fn launch(request: Launch, descriptors: Vec<OwnedFd>) -> Result<Newborn, Failure> {
    let mut descriptors = descriptors.into_iter();
    let mut next = |what: &str| descriptors.next().ok_or_else(|| failure(Code::Invalid, format!("{what} is missing")));
    let root = match &request.root {
        Root::Path(path) => berth_runtime::Root::Path(path.clone()),
        Root::Descriptor => berth_runtime::Root::Mount(next("the root mount")?),
    };
    let network = if request.network { Some(next("the network namespace")?) } else { None };
    let attachments = request
        .attach
        .iter()
        .map(|streams| Ok((*streams, next("an attached stream")?)))
        .collect::<Result<Vec<Attachment>, Failure>>()?;
    let sources = request
        .sources
        .iter()
        .map(|target| Ok((target.clone(), next("a mount's source")?)))
        .collect::<Result<Vec<(PathBuf, OwnedFd)>, Failure>>()?;
    let held = descriptors.collect();
    let seccomp = filter(request.seccomp.as_ref())?;
    ExitRecord::forget(&request.exit_record);
    let stdio = Prepared::new(request.stdio, true).map_err(|errno| other(format!("cannot make pipes: {errno}")))?;
    let cgroup = request.cgroup.as_ref().map(|plan| make_cgroup(plan, &request.spec)).transpose()?;
    if let Some(plan) = request.runtime.clone() {
        let order = foreign::Order {
            plan,
            id: &request.id,
            spec: &request.spec,
            directory: &request.bundle,
            socket: &request.socket,
            root,
            network: network.as_ref().map(AsFd::as_fd),
            cgroup: request.cgroup.as_ref().map(|plan| plan.path.as_str()),
            stdio: &stdio,
            sizes: request.stdio,
        };
        let (foreign, born) = foreign::launch(order).inspect_err(|_| undo(cgroup.as_ref()))?;
        return settle(
            request,
            born,
            stdio,
            Parts { cgroup, seccomp: None, foreign: Some(foreign), attachments, held },
        );
    }
    let born = berth_runtime::launch(berth_runtime::Launch {
        id: &request.id,
        spec: &request.spec,
        bundle: &request.bundle,
        root,
        sources,
        network: network.as_ref().map(AsFd::as_fd),
        cgroup: cgroup.as_ref(),
        seccomp: seccomp.as_ref(),
        stdio: stdio.for_process(),
        start: Start::AtOnce,
        preserve_fds: 0,
        no_pivot: request.no_pivot,
        no_new_keyring: request.no_new_keyring,
    });
    let born = born.map_err(|error| refused(&error)).inspect_err(|_| undo(cgroup.as_ref()))?;
    settle(request, born, stdio, Parts { cgroup, seccomp, foreign: None, attachments, held })
}

/// What a born container has besides its process.
struct Parts {
    cgroup: Option<Cgroup>,
    seccomp: Option<Filter>,
    foreign: Option<Foreign>,
    attachments: Vec<Attachment>,
    held: Vec<OwnedFd>,
}

/// From a born process to a container that is known.
fn settle(request: Launch, born: Born, stdio: Prepared, parts: Parts) -> Result<Newborn, Failure> {
    let Parts { cgroup, seccomp, foreign, attachments, held } = parts;
    let init = Session::new(0, None, born, stdio, request.stdio.stdin_once).map_err(|errno| {
        undo(cgroup.as_ref());
        if let Some(foreign) = &foreign {
            foreign.remove();
        }
        other(format!("cannot set up the terminal: {errno}"))
    })?;
    // Init is in: what kept systemd's scope alive until now may go.
    if let Err(error) = cgroup.as_ref().map_or(Ok(()), Cgroup::settle) {
        undo(cgroup.as_ref());
        return Err(other(error));
    }
    let container = Container {
        id: request.id,
        started_at: Moment::now().to_string(),
        record: request.exit_record,
        durable: request.durable,
        socket: request.socket,
        cgroup,
        seccomp,
        shares_pids: !has_own_pids(&request.spec),
        no_new_keyring: request.no_new_keyring,
        foreign,
        _held: held,
    };
    Ok(Newborn { container, init, attachments, log: request.log })
}

/// After a failed launch the cgroup goes too; that this fails as well would hide why the launch did.
fn undo(cgroup: Option<&Cgroup>) {
    if let Some(cgroup) = cgroup {
        let _ = cgroup.kill_all(rustix::process::Signal::KILL);
        let _ = cgroup.remove();
    }
}

fn filter(blob: Option<&Blob>) -> Result<Option<Filter>, Failure> {
    let parsed = blob.map(|Blob(bytes)| Filter::from_bytes(bytes)).transpose();
    parsed.map_err(|error| failure(Code::Invalid, error))
}

fn make_cgroup(plan: &CgroupPlan, spec: &Spec) -> Result<Cgroup, Failure> {
    let hierarchy = match &plan.hierarchy {
        Some(known) => serde_json::from_value(known.clone()).map_err(|error| failure(Code::Invalid, error))?,
        None => Hierarchy::detect().map_err(other)?,
    };
    let unlimited = oci_spec::runtime::LinuxResources::default();
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref()).unwrap_or(&unlimited);
    let options = berth_cgroup::Options { driver: plan.driver, lenient: false };
    Cgroup::create_with(&hierarchy, &plan.path, resources, &options).map(|created| created.cgroup).map_err(other)
}

fn has_own_pids(spec: &Spec) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    namespaces.iter().any(|one| one.typ() == LinuxNamespaceType::Pid && one.path().is_none())
}

impl Container {
    /// Adds a process as session `number`.
    pub(crate) fn join(&self, init: &Session, number: u32, exec: Exec) -> Result<Session, Failure> {
        let own = filter(exec.seccomp.as_ref())?;
        let stdio = Prepared::new(exec.stdio, exec.attach.is_some())
            .map_err(|errno| other(format!("cannot make pipes: {errno}")))?;
        let born = match &self.foreign {
            Some(foreign) => foreign.join(&exec.process, &stdio, exec.stdio)?,
            None => self.join_own(init, &exec, own.as_ref(), &stdio)?,
        };
        Session::new(number, Some(exec.id), born, stdio, exec.stdio.stdin_once)
            .map_err(|errno| other(format!("cannot set up the terminal: {errno}")))
    }

    fn join_own(&self, init: &Session, exec: &Exec, own: Option<&Filter>, stdio: &Prepared) -> Result<Born, Failure> {
        berth_runtime::join(Join {
            init: init.pidfd.as_fd(),
            init_pid: HostPid(init.pid),
            process: &exec.process,
            cgroup: self.cgroup.as_ref(),
            seccomp: own.or(self.seccomp.as_ref()),
            stdio: stdio.for_process(),
            preserve_fds: 0,
            no_new_keyring: self.no_new_keyring,
        })
        .map_err(|error| refused(&error))
    }

    /// The cgroup, for what needs one.
    pub(crate) fn cgroup(&self) -> Result<&Cgroup, Failure> {
        self.cgroup.as_ref().ok_or_else(|| failure(Code::Invalid, "the container has no cgroup of its own"))
    }

    pub(crate) fn pause(&self) -> Result<(), Failure> {
        if let Some(foreign) = &self.foreign {
            return foreign.pause();
        }
        self.cgroup()?.freeze().map_err(other)
    }

    pub(crate) fn resume(&self) -> Result<(), Failure> {
        if let Some(foreign) = &self.foreign {
            return foreign.resume();
        }
        self.cgroup()?.thaw().map_err(other)
    }

    /// The kernel delivers SIGKILL to a frozen v1 cgroup only once it is thawed.
    pub(crate) fn thaw_to_die(&self) {
        if let Some(cgroup) = &self.cgroup
            && cgroup.freezer().is_ok_and(|state| state != Freezer::Thawed)
        {
            // A container that cannot be thawed is told by its not dying.
            let _ = cgroup.thaw();
        }
    }

    pub(crate) fn update(&self, resources: &oci_spec::runtime::LinuxResources) -> Result<(), Failure> {
        self.cgroup()?.update(resources).map_err(other)
    }

    pub(crate) fn stats(&self) -> Result<serde_json::Value, Failure> {
        serde_json::to_value(self.cgroup()?.stats().map_err(other)?).map_err(other)
    }

    pub(crate) fn processes(&self) -> Result<Vec<i32>, Failure> {
        self.cgroup()?.pids().map_err(other)
    }

    /// How it ended.
    pub(crate) fn obituary(&self, code: i32) -> ExitRecord {
        let kills = self.cgroup.as_ref().and_then(|cgroup| cgroup.oom_kills().ok());
        ExitRecord { code, oom_killed: kills.is_some_and(|count| count > 0), at: Moment::now().to_string() }
    }

    /// Lets a foreign runtime forget the container. To be done before its end is told: whoever starts it again makes a
    /// cgroup of the same name, whose processes an old runtime's clearing up would take for its own.
    pub(crate) fn bury(&mut self) {
        if let Some(foreign) = self.foreign.take() {
            foreign.remove();
        }
    }

    /// Ends what init's death did not.
    pub(crate) fn kill_the_rest(&self) {
        if let Some(cgroup) = self.cgroup.as_ref().filter(|_| self.shares_pids) {
            let _ = cgroup.kill_all(rustix::process::Signal::KILL);
        }
    }

    /// Removes what the container had outside its processes.
    pub(crate) fn remove(&self) -> bool {
        self.cgroup.as_ref().is_none_or(|cgroup| cgroup.remove().is_ok())
    }
}
