//! Giving birth to a container's init: the newborn's half, from the clone to the program.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use berth_sys::clone::Namespaces;
use berth_sys::mount::{Attributes, Propagation, mount_setattr};
use berth_sys::{descriptors, network, security, signal};
use oci_spec::runtime::Hook;
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount};
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Signal, chroot, fchdir, pivot_root, set_parent_process_death_signal, setsid, umask};
use rustix::thread::{Gid, LinkNameSpaceType, Uid, sched_setaffinity, set_thread_res_gid, set_thread_res_uid};

use crate::become_program::{Last, set_oom_score};
use crate::channel::Channel;
use crate::devices::{self, Device};
use crate::error::{At, LaunchError, Step};
use crate::kernel_settings::Settings;
use crate::mounts::attach::Rootfs;
use crate::mounts::{Mounting, place};
use crate::terminal::{Terminal, give_streams, place_streams};
use crate::{hooks, namespaces};

/// The state a hook is told, from the status and the pid.
pub(crate) type HookState<'a> = Box<dyn Fn(&str, i32) -> Vec<u8> + 'a>;

/// Everything the newborn needs; made by the parent before the clone.
pub(crate) struct Init<'a> {
    pub(crate) channel: Option<Channel>,
    /// Made by `clone3`, or by the newborn itself (cgroup, time).
    pub(crate) new: Namespaces,
    pub(crate) join: Vec<(LinkNameSpaceType, OwnedFd)>,
    pub(crate) time_offsets: String,
    /// v1: entered by writing `0`.
    pub(crate) tasks: Vec<OwnedFd>,
    pub(crate) runtime_hooks: bool,
    pub(crate) create_hooks: Vec<Hook>,
    pub(crate) start_hooks: Vec<Hook>,
    pub(crate) hook_state: HookState<'a>,
    /// `None` in a mount namespace that somebody else made.
    pub(crate) filesystem: Option<Filesystem>,
    pub(crate) settings: Settings,
    pub(crate) streams: Streams<'a>,
    pub(crate) gate: Option<OwnedFd>,
    pub(crate) preserve_fds: u32,
    pub(crate) keyring: Option<CString>,
    pub(crate) last: Last<'a>,
}

/// The container's file systems.
#[derive(Debug)]
pub(crate) struct Filesystem {
    pub(crate) root: OwnedFd,
    pub(crate) readonly: bool,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) mounts: Vec<Mounting>,
    pub(crate) devices: Vec<Device>,
    pub(crate) masked: Vec<String>,
    pub(crate) readonly_paths: Vec<String>,
    pub(crate) no_pivot: bool,
}

/// Standard input, output and error.
#[derive(Debug)]
pub(crate) enum Streams<'a> {
    Fds([BorrowedFd<'a>; 3]),
    Terminal(u16, u16),
}

impl Init<'_> {
    /// Runs the newborn; what it returns is the exit status of a birth that failed.
    pub(crate) fn run(mut self) -> i32 {
        let Some(first) = self.channel.take() else { return 1 };
        let channel = match first.above(self.lowest_free()) {
            Ok(higher) => higher,
            Err(error) => {
                first.failed(&error);
                return 1;
            }
        };
        drop(first);
        let result = self.set_up(&channel);
        let error = match result {
            Ok(()) => match self.pass_gate(&channel) {
                Ok(never) => match never {},
                Err(error) => error,
            },
            Err(error) => error,
        };
        channel.failed(&error);
        1
    }

    fn lowest_free(&self) -> RawFd {
        3 + i32::try_from(self.preserve_fds).unwrap_or(0)
    }

    fn set_up(&mut self, channel: &Channel) -> Result<(), LaunchError> {
        signal::reset();
        let _ = setsid();
        if self.gate.is_none() {
            // Half made, it goes with its parent; a created container has none to go with.
            set_parent_process_death_signal(Some(Signal::KILL)).at(Step::Channel, || "")?;
        }
        if let Some(name) = &self.keyring {
            join_keyring(name)?;
        }
        if self.new.contains(Namespaces::USER) {
            channel.wants_mapping()?;
            become_root()?;
        } else if let Some(score) = self.last.program.oom_score_adj {
            set_oom_score(score)?;
        }
        self.enter_cgroup()?;
        self.enter_namespaces()?;
        if self.runtime_hooks {
            channel.wants_hooks()?;
        }
        umask(Mode::empty());
        let terminal = match self.filesystem.take() {
            Some(filesystem) => self.enter_filesystem(filesystem, channel)?,
            None => {
                let root = place::own_root().at(Step::PrepareRoot, || "")?;
                self.settings.apply(None)?;
                self.open_terminal(root.as_fd(), None, channel)?
            }
        };
        self.take_streams(terminal)?;
        self.close_descriptors(channel)?;
        if let Some(cpus) = &self.last.program.affinity {
            sched_setaffinity(None, cpus).at(Step::Affinity, || "")?;
        }
        let root = place::own_root().at(Step::PrepareRoot, || "")?;
        self.last.prepare(root.as_fd())
    }

    fn enter_cgroup(&self) -> Result<(), LaunchError> {
        for tasks in &self.tasks {
            rustix::io::write(tasks, b"0").at(Step::EnterCgroup, || "")?;
        }
        Ok(())
    }

    fn enter_namespaces(&mut self) -> Result<(), LaunchError> {
        for (kind, namespace) in self.join.drain(..) {
            namespaces::enter(kind, namespace.as_fd())?;
        }
        if self.new.contains(Namespaces::CGROUP) {
            namespaces::make_late(Namespaces::CGROUP, "cgroup")?;
        }
        if self.new.contains(Namespaces::TIME) {
            self.make_time_namespace()?;
        }
        if self.new.contains(Namespaces::NETWORK) {
            network::loopback_up().at(Step::Loopback, || "")?;
        }
        Ok(())
    }

    /// Offsets can be set until somebody is in the namespace: it is made, set, and entered.
    fn make_time_namespace(&self) -> Result<(), LaunchError> {
        namespaces::make_late(Namespaces::TIME, "time")?;
        if !self.time_offsets.is_empty() {
            std::fs::write("/proc/self/timens_offsets", &self.time_offsets)
                .at(Step::NewNamespace, || format!("time with offsets {:?}", self.time_offsets.trim_end()))?;
        }
        let namespace = namespaces::open(std::path::Path::new("/proc/self/ns/time_for_children"))?;
        namespaces::enter(LinkNameSpaceType::Time, namespace.as_fd())
    }

    fn enter_filesystem(&mut self, filesystem: Filesystem, channel: &Channel) -> Result<Option<Terminal>, LaunchError> {
        let failed = |what: &'static str| move || what;
        // Nothing that happens here may be seen on the host.
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
            .at(Step::PrepareRoot, failed("(the host's mounts as slaves)"))?;
        move_mount(&filesystem.root, c"", CWD, c"/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .at(Step::PrepareRoot, failed("(attaching it)"))?;
        let mut rootfs = Rootfs::new(filesystem.root);
        for mounting in filesystem.mounts {
            rootfs.attach(mounting)?;
        }
        devices::fill(&rootfs, &filesystem.devices)?;
        let terminal = self.open_terminal(rootfs.root.as_fd(), rootfs.devpts.as_ref().map(AsFd::as_fd), channel)?;
        if !self.create_hooks.is_empty() {
            let state = (self.hook_state)("creating", own_pid());
            hooks::run("createContainer", &self.create_hooks, &state)?;
        }
        self.settings.apply(rootfs.proc.as_ref().map(AsFd::as_fd))?;
        if !filesystem.masked.is_empty() {
            devices::mask(rootfs.root.as_fd(), &filesystem.masked)?;
        }
        devices::make_readonly(rootfs.root.as_fd(), &filesystem.readonly_paths)?;
        fchdir(&rootfs.root).at(Step::PivotRoot, failed("the container's"))?;
        change_root(filesystem.no_pivot)?;
        if let Some(cwd) = missing_directory(&self.last) {
            place::directory(rootfs.root.as_fd(), cwd).at(Step::WorkingDirectory, || cwd.display().to_string())?;
        }
        rootfs.seal(filesystem.readonly)?;
        if let Some(propagation) = filesystem.propagation {
            let change = Attributes { propagation: Some(propagation), ..Attributes::default() };
            mount_setattr(rootfs.root.as_fd(), false, &change).at(Step::PrepareRoot, failed("(its propagation)"))?;
        }
        self.last.proc = rootfs.proc;
        Ok(terminal)
    }

    fn open_terminal(
        &self,
        root: BorrowedFd<'_>,
        devpts: Option<BorrowedFd<'_>>,
        channel: &Channel,
    ) -> Result<Option<Terminal>, LaunchError> {
        let Streams::Terminal(rows, columns) = self.streams else { return Ok(None) };
        let terminal = Terminal::open(root, devpts, (rows, columns), self.last.program.user.uid)?;
        terminal.become_console(root)?;
        channel.terminal(terminal.master.as_fd())?;
        Ok(Some(terminal))
    }

    fn take_streams(&self, terminal: Option<Terminal>) -> Result<(), LaunchError> {
        match (terminal, &self.streams) {
            (Some(terminal), _) => terminal.take(),
            (None, Streams::Fds(streams)) => {
                place_streams(*streams)?;
                give_streams(self.last.program.user.uid)
            }
            (None, Streams::Terminal(..)) => Ok(()),
        }
    }

    /// From here on nothing of the host is open but what the last steps need and what the program is to inherit.
    fn close_descriptors(&mut self, channel: &Channel) -> Result<(), LaunchError> {
        // What still owns a descriptor must not close, when it is dropped, another that has its number by then.
        self.tasks.clear();
        self.join.clear();
        self.last.proc = self.last.proc.take().filter(|_| self.last.labelled());
        let mut keep = vec![channel.as_raw()];
        keep.extend(self.gate.as_ref().map(AsRawFd::as_raw_fd));
        keep.extend(self.last.listener.as_ref().map(|(agent, _)| agent.as_raw_fd()));
        keep.extend(self.last.proc.as_ref().map(AsRawFd::as_raw_fd));
        close_inherited(&keep, self.preserve_fds)
    }

    fn pass_gate(mut self, channel: &Channel) -> Result<Infallible, LaunchError> {
        let Some(gate) = self.gate.take() else {
            return Err(self.start());
        };
        channel.at_gate()?;
        let failed = |errno| LaunchError::new(Step::Gate, "", errno);
        let starter = loop {
            match accept_with(&gate, SocketFlags::CLOEXEC) {
                Ok(starter) => {
                    // Whoever connects and says nothing does not start the container.
                    let mut byte = [0];
                    if rustix::io::read(&starter, &mut byte) == Ok(1) {
                        break starter;
                    }
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => return Err(failed(errno)),
            }
        };
        drop(gate);
        let error = self.start();
        let _ = rustix::io::write(&starter, error.to_string().as_bytes());
        Err(error)
    }

    fn start(self) -> LaunchError {
        // From here on it is the container, and outlives who made it.
        let _ = set_parent_process_death_signal(None);
        let Self { last, start_hooks, hook_state, .. } = self;
        last.run(|| {
            if start_hooks.is_empty() {
                return Ok(());
            }
            hooks::run("startContainer", &start_hooks, &hook_state("created", own_pid()))
        })
    }
}

fn missing_directory<'a>(last: &'a Last<'_>) -> Option<&'a std::path::Path> {
    let cwd = last.program.cwd.as_path();
    matches!(rustix::fs::stat(cwd), Err(Errno::NOENT)).then_some(cwd)
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Becomes root of the user namespace, where it has one.
pub(crate) fn become_root() -> Result<(), LaunchError> {
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    match set_thread_res_gid(gid, gid, gid).and_then(|()| set_thread_res_uid(uid, uid, uid)) {
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(errno) => Err(LaunchError::new(Step::User, "root of the user namespace", errno)),
    }
}

/// A session keyring of the container's own; a kernel without keys, or a quota that is used up, does not stop it.
pub(crate) fn join_keyring(name: &std::ffi::CStr) -> Result<(), LaunchError> {
    match security::join_session_keyring(name) {
        Ok(()) | Err(Errno::NOSYS | Errno::DQUOT) => Ok(()),
        Err(errno) => Err(LaunchError::new(Step::Keyring, name.to_string_lossy(), errno)),
    }
}

fn change_root(no_pivot: bool) -> Result<(), LaunchError> {
    if no_pivot {
        // The container's root lies on "/" already; from there everything below it is out of reach.
        return chroot(".").at(Step::PivotRoot, || "the container's, without pivot_root").and_then(|()| to_root());
    }
    // New root and old root at once: the old one ends up on top and is taken off.
    pivot_root(".", ".").at(Step::PivotRoot, || "the container's")?;
    unmount(".", UnmountFlags::DETACH).at(Step::PivotRoot, || "the container's (detaching the host's)")?;
    to_root()
}

fn to_root() -> Result<(), LaunchError> {
    rustix::process::chdir("/").at(Step::PivotRoot, || "the container's")
}

/// Closes everything but `keep` and the program's own, which lose their close-on-exec flag.
pub(crate) fn close_inherited(keep: &[RawFd], preserve_fds: u32) -> Result<(), LaunchError> {
    let mut keep = keep.to_vec();
    for fd in (3..).take(usize::try_from(preserve_fds).unwrap_or(0)) {
        if descriptors::keep_across_exec(fd).is_ok() {
            keep.push(fd);
        }
    }
    descriptors::close_all_but(&keep).at(Step::CloseDescriptors, || "")
}
