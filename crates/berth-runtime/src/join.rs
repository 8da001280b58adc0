//! A further process in a running container (exec).

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use berth_cgroup::Cgroup;
use berth_seccomp::Filter;
use berth_sys::HostPid;
use berth_sys::clone::{Birth, clone_process};
use berth_sys::signal;
use oci_spec::runtime::Process;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Signal, pidfd_send_signal, set_dumpable_behavior, setsid};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, move_into_thread_name_spaces, sched_setaffinity};

use crate::become_program::{Last, raise_own_hard_limits, set_oom_score};
use crate::channel::{Channel, Message};
use crate::error::{At, LaunchError, Step};
use crate::init::{Streams, close_inherited, join_keyring};
use crate::launch::{Born, Stdio, reap};
use crate::mounts::place;
use crate::namespaces::{self, Elsewhere};
use crate::process::Program;
use crate::search::Ourselves;
use crate::terminal::{Terminal, give_streams, place_streams};

/// Everything needed to add a process to a running container. See [`join`].
#[derive(Debug)]
pub struct Join<'a> {
    /// The pidfd of the container's init.
    pub init: BorrowedFd<'a>,
    /// The init's pid in the caller's pid namespace.
    pub init_pid: HostPid,
    /// What to execute, and as whom.
    pub process: &'a Process,
    /// The container's cgroup; the process enters it by itself.
    pub cgroup: Option<&'a Cgroup>,
    /// The container's filter.
    pub seccomp: Option<&'a Filter>,
    /// Standard input, output and error.
    pub stdio: Stdio<'a>,
    /// Descriptors 3 … 3 + n − 1 of the caller stay open in the container.
    pub preserve_fds: u32,
    /// Keep the caller's session keyring.
    pub no_new_keyring: bool,
}

/// Runs a further process in a running container; returns after its `execve`.
///
/// The caller must be single-threaded and becomes the parent. It is not dumpable afterwards: nobody in the container
/// may look into it or into the newborn.
///
/// # Errors
/// The step that failed, with its object and errno.
pub fn join(join: Join<'_>) -> Result<Born, LaunchError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::OwnProgram, || "")?;
    let (parent, channel) = Channel::pair()?;
    let (tasks, directory) = match join.cgroup.map(Cgroup::entrance).transpose() {
        Ok(entrance) => entrance.map_or((Vec::new(), None), |entrance| (entrance.tasks, entrance.directory)),
        Err(error) => return Err(LaunchError::other(error.to_string())),
    };
    let newcomer = Newcomer {
        channel: Some(channel),
        init: join.init,
        user: other_user_namespace(join.init_pid)?,
        tasks,
        streams: match join.stdio {
            Stdio::Fds(streams) => Streams::Fds(streams),
            Stdio::Terminal { rows, columns } => Streams::Terminal(rows, columns),
        },
        preserve_fds: join.preserve_fds,
        keyring: if join.no_new_keyring { None } else { CString::new("_ses.exec").ok() },
        last: Last {
            program: Program::read(join.process, join.preserve_fds)?,
            seccomp: join.seccomp,
            listener: None,
            ourselves: Ourselves::find()?,
            proc: None,
            arrived: false,
        },
    };
    let pids = namespaces::open(&PathBuf::from(format!("/proc/{}/ns/pid", join.init_pid)))?;
    let (pid, pidfd) = {
        let _elsewhere = Elsewhere::enter(&[(LinkNameSpaceType::ProcessID, pids)])?;
        let birth = Birth { cgroup: directory.as_ref().map(AsFd::as_fd), ..Birth::default() };
        clone_process(&birth, || newcomer.run()).at(Step::Clone, || "")?
    };
    let mut terminal = None;
    loop {
        match parent.receive() {
            Ok(None) => return Ok(Born { pid, pidfd, terminal }),
            Ok(Some(Message::Terminal(master))) => terminal = Some(master),
            Ok(Some(Message::Failed(error))) | Err(error) => {
                let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                reap(&pidfd);
                return Err(error);
            }
            Ok(Some(_)) => {}
        }
    }
}

/// Whether the container has a user namespace of its own: one's own cannot be joined.
fn other_user_namespace(init: HostPid) -> Result<bool, LaunchError> {
    let inode = |path: &str| match rustix::fs::stat(path) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        // A kernel without user namespaces.
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(LaunchError::new(Step::JoinNamespace, path, errno)),
    };
    Ok(inode(&format!("/proc/{init}/ns/user"))? != inode("/proc/self/ns/user")?)
}

/// The newborn's half.
struct Newcomer<'a> {
    channel: Option<Channel>,
    init: BorrowedFd<'a>,
    user: bool,
    tasks: Vec<OwnedFd>,
    streams: Streams<'a>,
    preserve_fds: u32,
    keyring: Option<CString>,
    last: Last<'a>,
}

impl Newcomer<'_> {
    fn run(mut self) -> i32 {
        let lowest = 3 + i32::try_from(self.preserve_fds).unwrap_or(0);
        let Some(first) = self.channel.take() else { return 1 };
        let channel = match first.above(lowest) {
            Ok(higher) => higher,
            Err(error) => {
                first.failed(&error);
                return 1;
            }
        };
        drop(first);
        let error = match self.set_up(&channel) {
            Ok(()) => self.last.run(|| Ok(())),
            Err(error) => error,
        };
        channel.failed(&error);
        1
    }

    fn set_up(&mut self, channel: &Channel) -> Result<(), LaunchError> {
        signal::reset();
        let _ = setsid();
        if let Some(name) = &self.keyring {
            join_keyring(name)?;
        }
        if let Some(score) = self.last.program.oom_score_adj {
            set_oom_score(score)?;
        }
        if let Some(cpus) = &self.last.program.affinity {
            sched_setaffinity(None, cpus).at(Step::Affinity, || "")?;
        }
        for tasks in &self.tasks {
            rustix::io::write(tasks, b"0").at(Step::EnterCgroup, || "")?;
        }
        if self.user {
            raise_own_hard_limits(&self.last.program.limits);
        }
        self.enter_namespaces()?;
        let root = place::own_root().at(Step::PrepareRoot, || "")?;
        self.take_streams(root.as_fd(), channel)?;
        let mut keep = vec![channel.as_raw()];
        if self.last.labelled() {
            let proc = crate::become_program::fresh_proc().at(Step::Label, || "")?;
            keep.push(proc.as_raw_fd());
            self.last.proc = Some(proc);
        }
        drop(root);
        // What still owns a descriptor must not close, when it is dropped, another that has its number by then.
        self.tasks.clear();
        close_inherited(&keep, self.preserve_fds)?;
        let root = place::own_root().at(Step::PrepareRoot, || "")?;
        self.last.prepare(root.as_fd())
    }

    /// All at once: the kernel checks the rights for each before it changes any.
    fn enter_namespaces(&self) -> Result<(), LaunchError> {
        let mut kinds = ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::NETWORK
            | ThreadNameSpaceType::CONTROL_GROUP
            | ThreadNameSpaceType::TIME;
        if self.user {
            kinds |= ThreadNameSpaceType::USER;
        }
        // A kernel may be built without some kinds; it says EINVAL to all then.
        let without_time = kinds.difference(ThreadNameSpaceType::TIME);
        let without_groups = without_time.difference(ThreadNameSpaceType::CONTROL_GROUP);
        move_into_thread_name_spaces(self.init, kinds)
            .or_else(|errno| {
                if errno == Errno::INVAL { move_into_thread_name_spaces(self.init, without_time) } else { Err(errno) }
            })
            .or_else(|errno| {
                if errno == Errno::INVAL { move_into_thread_name_spaces(self.init, without_groups) } else { Err(errno) }
            })
            .at(Step::JoinNamespace, || "of the container's init")?;
        if self.user { crate::init::become_root() } else { Ok(()) }
    }

    fn take_streams(&self, root: BorrowedFd<'_>, channel: &Channel) -> Result<(), LaunchError> {
        match &self.streams {
            Streams::Terminal(rows, columns) => {
                let terminal = Terminal::open(root, None, (*rows, *columns), self.last.program.user.uid)?;
                channel.terminal(terminal.master.as_fd())?;
                terminal.take()
            }
            Streams::Fds(streams) => {
                place_streams(*streams)?;
                give_streams(self.last.program.user.uid)
            }
        }
    }
}
