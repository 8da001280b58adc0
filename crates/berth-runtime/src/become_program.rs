//! The last steps of a newborn, the same for an init and for a process that joins: limits, labels, user, capabilities,
//! seccomp, `execve`. The order is the kernel's: each step takes away what the ones before needed.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use berth_seccomp::Filter;
use berth_sys::{exec, scheduling, seccomp};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use rustix::process::{Pid, Rlimit, chdir, getcwd, getrlimit, setrlimit, umask};
use rustix::thread::{
    Gid, Uid, sched_setaffinity, set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::capabilities;
use crate::error::{At, LaunchError, Step, cause};
use crate::process::{Limit, Program};
use crate::search::{self, Ourselves};

/// What a newborn takes along to the end.
#[derive(Debug)]
pub(crate) struct Last<'a> {
    pub(crate) program: Program,
    pub(crate) seccomp: Option<&'a Filter>,
    /// A connection to who wants the seccomp listener, and the message that goes with it.
    pub(crate) listener: Option<(OwnedFd, Vec<u8>)>,
    pub(crate) ourselves: Ourselves,
    /// The container's procfs, for labels.
    pub(crate) proc: Option<OwnedFd>,
    /// Whether the working directory has been entered.
    pub(crate) arrived: bool,
}

impl Last<'_> {
    /// What can be done before the start: everything that needs no user's rights. Errors come at creation.
    pub(crate) fn prepare(&mut self, root: BorrowedFd<'_>) -> Result<(), LaunchError> {
        self.enter_working_directory()?;
        if !self.program.has_home {
            let home = home(root, self.program.user.uid);
            self.program.env.push(CString::new(format!("HOME={home}")).unwrap_or_default());
        }
        search::find(&self.program.name, &self.program.path, self.ourselves).map(drop)
    }

    /// Goes to the working directory, and makes sure that it is inside the root.
    fn enter_working_directory(&mut self) -> Result<(), LaunchError> {
        let cwd = &self.program.cwd;
        let said = || cwd.display().to_string();
        match chdir(cwd) {
            Ok(()) => {}
            // The user may be allowed what we are not (a network file system): tried again as the user.
            Err(Errno::ACCESS) => return Ok(()),
            Err(errno) => return Err(LaunchError::new(Step::ChangeDirectory, said(), errno)),
        }
        self.arrived = true;
        self.check_working_directory()
    }

    /// A directory outside the root (a leaked descriptor reached through `/proc/self/fd`) has no path from it.
    fn check_working_directory(&self) -> Result<(), LaunchError> {
        match getcwd(Vec::new()) {
            Ok(path) if path.as_bytes().starts_with(b"/") => Ok(()),
            _ => Err(LaunchError::other(format!(
                "the current working directory {:?} is outside of the container",
                self.program.cwd.display().to_string()
            ))),
        }
    }

    /// Becomes the program. `before` runs when all privileges but those of the program are gone.
    pub(crate) fn run(mut self, before: impl FnOnce() -> Result<(), LaunchError>) -> LaunchError {
        match self.become_user().and_then(|()| before()).and_then(|()| self.execute()) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn become_user(&mut self) -> Result<(), LaunchError> {
        set_scheduling(&self.program)?;
        set_limits(&self.program)?;
        self.set_labels()?;
        let program = &self.program;
        if !program.no_new_privileges {
            // Without no-new-privileges a filter needs CAP_SYS_ADMIN, which goes next.
            self.install_filter()?;
        }
        let program = &self.program;
        let held = capabilities::held()?;
        capabilities::bound(program.capabilities)?;
        set_keep_capabilities(true).at(Step::Capabilities, || "")?;
        let user = &program.user;
        let said = || format!("{}:{}", user.uid, user.gid);
        let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        match set_thread_groups(&groups) {
            Ok(()) => {}
            // A user namespace with setgroups denied has no additional groups to drop.
            Err(Errno::PERM) if groups.is_empty() => {}
            Err(errno) => return Err(LaunchError::new(Step::User, said(), errno)),
        }
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        set_thread_res_gid(gid, gid, gid).at(Step::User, said)?;
        set_thread_res_uid(uid, uid, uid).at(Step::User, said)?;
        capabilities::apply(program.capabilities, held)?;
        set_keep_capabilities(false).at(Step::Capabilities, || "")?;
        umask(Mode::from_raw_mode(program.user.umask.unwrap_or(0o022)));
        if !self.arrived {
            chdir(&program.cwd).at(Step::ChangeDirectory, || program.cwd.display().to_string())?;
            self.check_working_directory()?;
        }
        if program.no_new_privileges {
            set_no_new_privs(true).at(Step::NoNewPrivileges, || "")?;
        }
        Ok(())
    }

    fn execute(&mut self) -> Result<std::convert::Infallible, LaunchError> {
        let path = search::find(&self.program.name, &self.program.path, self.ourselves)?;
        if let Some(cpus) = &self.program.final_affinity {
            sched_setaffinity(None, cpus).at(Step::Affinity, || "")?;
        }
        if self.program.no_new_privileges {
            self.install_filter()?;
        }
        let errno = exec::execve(&path, &self.program.args, &self.program.env);
        Err(LaunchError::new(Step::Execute, path.to_string_lossy(), errno))
    }

    fn install_filter(&mut self) -> Result<(), LaunchError> {
        let Some(filter) = self.seccomp else { return Ok(()) };
        let listener = seccomp::install(filter.program(), filter.flags()).at(Step::Seccomp, || "")?;
        if let (Some(listener), Some((agent, state))) = (listener, self.listener.take()) {
            crate::listener::hand_over(agent.as_fd(), &state, listener.as_fd())?;
        }
        Ok(())
    }

    fn set_labels(&self) -> Result<(), LaunchError> {
        if let Some(profile) = self.program.apparmor.as_deref().filter(|profile| *profile != "unconfined") {
            let said = || format!("(AppArmor profile {profile})");
            let write = self.write_attribute("apparmor/exec", &format!("exec {profile}"));
            match write {
                Err(Errno::NOENT) => self.write_attribute("exec", &format!("exec {profile}")),
                done => done,
            }
            .at(Step::Label, said)?;
        }
        if let Some(label) = &self.program.selinux {
            self.write_attribute("exec", label).at(Step::Label, || format!("(SELinux label {label})"))?;
        }
        Ok(())
    }

    /// Writes to our own `/proc/thread-self/attr`, of a procfs that nothing can be mounted over.
    /// Whether labels are to be written, for which procfs is needed.
    pub(crate) fn labelled(&self) -> bool {
        self.program.apparmor.is_some() || self.program.selinux.is_some()
    }

    fn write_attribute(&self, name: &str, value: &str) -> Result<(), Errno> {
        let fresh;
        let proc = match &self.proc {
            Some(proc) => proc.as_fd(),
            None => {
                fresh = fresh_proc()?;
                fresh.as_fd()
            }
        };
        let task = rustix::fs::readlinkat(proc, "thread-self", Vec::new())?;
        let path = format!("{}/attr/{name}", task.to_string_lossy());
        let file = open_in_proc(proc, &path)?;
        rustix::io::write(&file, value.as_bytes()).map(drop)
    }
}

/// A procfs of our own, attached nowhere.
pub(crate) fn fresh_proc() -> Result<OwnedFd, Errno> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// Opens a file of procfs for writing: the procfs's own, not one mounted over it.
pub(crate) fn open_in_proc(proc: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty(), resolve)
}

fn set_scheduling(program: &Program) -> Result<(), LaunchError> {
    if let Some(attributes) = program.scheduling {
        scheduling::set_scheduling(attributes).at(Step::Scheduler, || "")?;
    }
    if let Some((class, level)) = program.io_priority {
        scheduling::set_io_priority(class, level).at(Step::IoPriority, || "")?;
    }
    Ok(())
}

/// Raises the hard limits of a process to what its program is to have: inside a user namespace it may not itself.
/// What is not allowed is told where the limits are set.
pub(crate) fn raise_hard_limits(pid: i32, process: Option<&oci_spec::runtime::Process>) {
    let limits = process.iter().flat_map(|process| process.rlimits().iter().flatten());
    let limits: Vec<Limit> = limits.map(crate::process::limit).collect();
    raise(Pid::from_raw(pid), &limits);
}

/// As [`raise_hard_limits`], before entering a user namespace.
pub(crate) fn raise_own_hard_limits(limits: &[Limit]) {
    raise(None, limits);
}

fn raise(pid: Option<Pid>, limits: &[Limit]) {
    for limit in limits {
        let own = getrlimit(limit.resource);
        let higher = own.maximum.is_some_and(|own| limit.value.maximum.is_none_or(|wanted| wanted > own));
        if higher {
            let raised = Rlimit { current: own.current, maximum: limit.value.maximum };
            let _ = rustix::process::prlimit(pid, limit.resource, raised);
        }
    }
}

/// Sets the resource limits, each with one clear sentence where the host does not allow it.
pub(crate) fn set_limits(program: &Program) -> Result<(), LaunchError> {
    for limit in &program.limits {
        let number = |value: Option<u64>| value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string());
        match setrlimit(limit.resource, limit.value) {
            Ok(()) => {}
            Err(Errno::PERM) => {
                let host = getrlimit(limit.resource);
                return Err(LaunchError::other(format!(
                    "cannot raise the limit {} to {}: this host's hard limit is {} and CAP_SYS_RESOURCE, which could raise it, is missing",
                    limit.kind,
                    number(limit.value.maximum),
                    number(host.maximum)
                )));
            }
            Err(errno) => return Err(LaunchError::new(Step::Rlimit, limit.kind.to_string(), errno)),
        }
    }
    Ok(())
}

/// Sets the OOM score through a procfs in which this process is `self`.
pub(crate) fn set_oom_score(score: i32) -> Result<(), LaunchError> {
    let set = || {
        let file = openat(CWD, "/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, score.to_string().as_bytes())
    };
    match set() {
        Ok(_) => Ok(()),
        // Nothing was asked for that is not there already: 0 is everybody's default, and a host that made us more
        // likely to be killed does not let us take that back.
        Err(Errno::ACCESS | Errno::PERM) if score == 0 => Ok(()),
        Err(errno @ (Errno::ACCESS | Errno::PERM)) => Err(LaunchError::other(format!(
            "cannot set the OOM score to {score}: lowering it needs CAP_SYS_RESOURCE, which is missing ({})",
            cause(errno)
        ))),
        Err(errno) => Err(LaunchError::new(Step::OomScore, score.to_string(), errno)),
    }
}

/// The user's home directory from the container's `/etc/passwd`; `/` where it has none.
fn home(root: BorrowedFd<'_>, uid: u32) -> String {
    const LARGEST: usize = 1 << 20;
    let read = || -> Result<Vec<u8>, Errno> {
        let resolve = rustix::fs::ResolveFlags::IN_ROOT | rustix::fs::ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(root, "/etc/passwd", flags, Mode::empty(), resolve)?;
        let mut text = vec![0; LARGEST];
        let mut length = 0;
        while length < LARGEST {
            match rustix::io::read(&file, &mut text[length..])? {
                0 => break,
                more => length += more,
            }
        }
        text.truncate(length);
        Ok(text)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let uid = uid.to_string();
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() >= 6 && fields[2] == uid)
        .map(|fields| fields[5].to_owned())
        .filter(|home| !home.is_empty())
        .unwrap_or_else(|| "/".to_owned())
}
