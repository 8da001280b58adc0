//! Giving birth to a container's init: the parent's half.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_cgroup::Cgroup;
use berth_seccomp::Filter;
use berth_sys::HostPid;
use berth_sys::clone::Namespaces;
use berth_sys::mount::{Attributes, Propagation, mount_setattr};
use oci_spec::runtime::Spec;
use rustix::process::{
    DumpableBehavior, Signal, WaitId, WaitIdOptions, pidfd_send_signal, set_dumpable_behavior, waitid,
};
use rustix::thread::LinkNameSpaceType;

use crate::become_program::Last;
use crate::channel::{Channel, Message};
use crate::devices;
use crate::error::{At, LaunchError, Step};
use crate::family::Family;
use crate::hooks::{self, OfBirth};
use crate::init::{Filesystem, Init, Streams};
use crate::kernel_settings::Settings;
use crate::mounts::{cgroups, source};
use crate::process::Program;
use crate::search::Ourselves;

/// The container's root file system.
#[derive(Debug)]
pub enum Root {
    /// A directory; relative to the bundle.
    Path(PathBuf),
    /// A detached mount (`fsmount`, `open_tree`): attached in the container's mount namespace only.
    Mount(OwnedFd),
}

/// What the process has for standard input, output and error.
#[derive(Debug)]
pub enum Stdio<'a> {
    /// These three descriptors.
    Fds([BorrowedFd<'a>; 3]),
    /// A new pseudo-terminal from the container's own devpts; its master is [`Born::terminal`].
    Terminal {
        /// Height in characters; 0 leaves the kernel's default.
        rows: u16,
        /// Width in characters; 0 leaves the kernel's default.
        columns: u16,
    },
}

/// When the user's program is executed.
#[derive(Debug)]
pub enum Start {
    /// At once; [`launch`] returns after `execve`.
    AtOnce,
    /// When somebody connects to this listening unix stream socket and writes a byte; [`launch`] returns when the init
    /// waits there. The connection is closed by `execve`, or carries the error's sentence.
    Gated(OwnedFd),
}

/// Everything needed to give birth to an init. See [`launch`].
#[derive(Debug)]
pub struct Launch<'a> {
    /// The container's id, for hooks, the session keyring and messages.
    pub id: &'a str,
    /// The OCI runtime specification.
    pub spec: &'a Spec,
    /// The bundle; relative paths of the specification resolve here.
    pub bundle: &'a Path,
    /// The root file system.
    pub root: Root,
    /// Detached mounts that stand for the source of the specification's mounts at these targets.
    pub sources: Vec<(PathBuf, OwnedFd)>,
    /// Join this network namespace instead of what the specification says.
    pub network: Option<BorrowedFd<'a>>,
    /// Already made and limited; the init enters it by itself.
    pub cgroup: Option<&'a Cgroup>,
    /// The filter, compiled before; `None` compiles the specification's.
    pub seccomp: Option<&'a Filter>,
    /// Standard input, output and error.
    pub stdio: Stdio<'a>,
    /// When the user's program starts.
    pub start: Start,
    /// Descriptors 3 … 3 + n − 1 of the caller stay open in the container.
    pub preserve_fds: u32,
    /// `chroot` in place of `pivot_root`, for hosts that run from an initramfs.
    pub no_pivot: bool,
    /// Keep the caller's session keyring.
    pub no_new_keyring: bool,
}

/// A process that was born.
#[derive(Debug)]
pub struct Born {
    /// Its pid in the caller's pid namespace.
    pub pid: HostPid,
    /// Readable when it has ended; the caller is its parent and reaps it.
    pub pidfd: OwnedFd,
    /// The pseudo-terminal's master.
    pub terminal: Option<OwnedFd>,
}

/// Gives birth to a container's init.
///
/// The caller must be single-threaded; it becomes the parent. With [`Start::AtOnce`] the user's program has been
/// executed when this returns. On an error nothing is left: the child has been reaped and its mounts are gone with it.
/// The calling process is not dumpable afterwards: nobody in a container may look into it.
///
/// # Errors
/// The step that failed, with its object and errno.
pub fn launch(launch: Launch<'_>) -> Result<Born, LaunchError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::OwnProgram, || "")?;
    let (parent, child) = Channel::pair()?;
    let mut family = Family::read(&launch)?;
    let compiled;
    let seccomp = match (launch.seccomp, launch.spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref())) {
        (Some(filter), _) => Some(filter),
        (None, Some(profile)) => {
            compiled = berth_seccomp::compile(profile).map_err(|error| LaunchError::other(error.to_string()))?;
            Some(&compiled)
        }
        (None, None) => None,
    };
    let (spec, id, bundle) = (launch.spec, launch.id, launch.bundle);
    let hooks = OfBirth::read(spec);
    let (init, directory) = prepare(launch, seccomp, child, &mut family, &hooks)?;
    let (pid, pidfd) = family.bear(init, directory)?;
    let newborn = Newborn { pid, pidfd, channel: parent };
    newborn.accompany(&family, |pid| {
        let state = hooks::state_json(spec, id, "creating", pid.0, bundle);
        hooks::run("prestart", &hooks.prestart, &state)?;
        hooks::run("createRuntime", &hooks.create_runtime, &state)
    })
}

fn prepare<'a>(
    launch: Launch<'a>,
    seccomp: Option<&'a Filter>,
    channel: Channel,
    family: &mut Family<'_>,
    hooks: &OfBirth,
) -> Result<(Init<'a>, Option<OwnedFd>), LaunchError> {
    let spec = launch.spec;
    let process = spec.process().as_ref().ok_or_else(|| LaunchError::other("the specification has no process"))?;
    let settings = Settings::read(spec, family.own())?;
    let linux = spec.linux().as_ref();
    let (tasks, directory) = match launch.cgroup.map(Cgroup::entrance).transpose() {
        Ok(entrance) => entrance.map_or((Vec::new(), None), |entrance| (entrance.tasks, entrance.directory)),
        Err(error) => return Err(LaunchError::other(error.to_string())),
    };
    let joins_mounts = family.within.iter().any(|(kind, _)| *kind == LinkNameSpaceType::Mount);
    let filesystem = match (joins_mounts, family.new.contains(Namespaces::MOUNT)) {
        (true, _) => None,
        (false, true) => Some(filesystem(&launch, family)?),
        (false, false) => return Err(LaunchError::other("a container needs a mount namespace, of its own or by path")),
    };
    let offset = |(clock, offset): (&String, &oci_spec::runtime::LinuxTimeOffset)| {
        format!("{clock} {} {}\n", offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0))
    };
    let offsets = linux.iter().flat_map(|linux| linux.time_offsets().iter().flatten()).map(offset).collect::<String>();
    if !offsets.is_empty() && !family.new.contains(Namespaces::TIME) {
        return Err(LaunchError::other("linux.timeOffsets needs a time namespace of the container's own"));
    }
    let (id, bundle) = (launch.id, launch.bundle);
    let keyring = if launch.no_new_keyring { None } else { CString::new(format!("_ses.{id}")).ok() };
    let init = Init {
        channel: Some(channel),
        new: family.new,
        join: std::mem::take(&mut family.within),
        time_offsets: offsets,
        tasks,
        runtime_hooks: hooks.outside(),
        create_hooks: hooks.create_container.clone(),
        start_hooks: hooks.start_container.clone(),
        hook_state: Box::new(move |status, pid| hooks::state_json(spec, id, status, pid, bundle)),
        filesystem,
        settings,
        streams: match launch.stdio {
            Stdio::Fds(streams) => Streams::Fds(streams),
            Stdio::Terminal { rows, columns } => Streams::Terminal(rows, columns),
        },
        gate: match launch.start {
            Start::AtOnce => None,
            Start::Gated(gate) => Some(gate),
        },
        preserve_fds: launch.preserve_fds,
        keyring,
        last: Last {
            program: Program::read(process, launch.preserve_fds)?,
            listener: crate::listener::prepare(spec, seccomp, &|| hooks::state_json(spec, id, "creating", 0, bundle))?,
            seccomp,
            ourselves: Ourselves::find()?,
            proc: None,
            arrived: false,
        },
    };
    Ok((init, directory))
}

fn filesystem(launch: &Launch<'_>, family: &Family<'_>) -> Result<Filesystem, LaunchError> {
    let spec = launch.spec;
    let linux = spec.linux().as_ref();
    let user_namespace = family.new.contains(Namespaces::USER) || family.user.is_some();
    let default = source::default_propagation(spec)?;
    let root = match &launch.root {
        Root::Mount(mount) => mount.try_clone().at(Step::PrepareRoot, || "")?,
        Root::Path(path) => {
            let path = launch.bundle.join(path);
            let root = source::clone_tree(&path, true).at(Step::PrepareRoot, || path.display().to_string())?;
            // A root that shares mounts with the host cannot be pivoted into.
            let change = Attributes { propagation: Some(Propagation::Slave), ..Attributes::default() };
            mount_setattr(root.as_fd(), true, &change).at(Step::PrepareRoot, || path.display().to_string())?;
            root
        }
    };
    let facts = cgroups::Facts { cgroup: launch.cgroup, namespace: family.new.contains(Namespaces::CGROUP) };
    let paths = |paths: Option<&Option<Vec<String>>>| paths.and_then(Clone::clone).unwrap_or_default();
    Ok(Filesystem {
        root,
        readonly: spec.root().as_ref().and_then(|root| root.readonly()).unwrap_or(false),
        propagation: (default != Propagation::Slave).then_some(default),
        mounts: source::open_all(spec, launch.bundle, &launch.sources, &facts)?,
        devices: devices::read(spec, user_namespace)?,
        masked: paths(linux.map(|linux| linux.masked_paths())),
        readonly_paths: paths(linux.map(|linux| linux.readonly_paths())),
        no_pivot: launch.no_pivot,
    })
}

/// A child on its way.
struct Newborn {
    pid: HostPid,
    pidfd: OwnedFd,
    channel: Channel,
}

impl Newborn {
    /// Answers it until it is its program, waits at the gate, or has failed.
    fn accompany(
        mut self,
        family: &Family<'_>,
        hooks: impl FnOnce(HostPid) -> Result<(), LaunchError>,
    ) -> Result<Born, LaunchError> {
        let mut terminal = None;
        let mut hooks = Some(hooks);
        loop {
            let step = match self.channel.receive() {
                Ok(None | Some(Message::AtGate)) => break,
                Ok(Some(Message::Terminal(master))) => {
                    terminal = Some(master);
                    Ok(())
                }
                Ok(Some(Message::Cloned(pid, pidfd))) => {
                    reap(&self.pidfd);
                    (self.pid, self.pidfd) = (HostPid(pid), pidfd);
                    Ok(())
                }
                Ok(Some(Message::WantsMapping)) => family.map(self.pid).and_then(|()| self.channel.go_on()),
                Ok(Some(Message::WantsHooks)) => {
                    hooks.take().map_or(Ok(()), |hooks| hooks(self.pid)).and_then(|()| self.channel.go_on())
                }
                Ok(Some(Message::Failed(error))) | Err(error) => Err(error),
            };
            if let Err(error) = step {
                self.end();
                return Err(error);
            }
        }
        Ok(Born { pid: self.pid, pidfd: self.pidfd, terminal })
    }

    /// Ends and reaps it: with it go its namespaces and mounts.
    fn end(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        reap(&self.pidfd);
    }
}

pub(crate) fn reap(pidfd: &OwnedFd) {
    let _ = rustix::io::retry_on_intr(|| waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED));
}
