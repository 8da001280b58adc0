//! A process that keeps a scope from being empty until init is in it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use berth_sys::clone::{Birth, clone_process};
use oci_spec::runtime::LinuxResources;
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

/// A child of this process that only waits to be killed. It goes with the last clone of this, too.
#[derive(Clone, Debug)]
pub(crate) struct Placeholder(Arc<Waiting>);

#[derive(Debug)]
struct Waiting {
    pid: i32,
    pidfd: OwnedFd,
    held_back: Option<i64>,
}

/// Two records of a cgroup are the same whoever holds its place.
impl PartialEq for Placeholder {
    fn eq(&self, _: &Placeholder) -> bool {
        true
    }
}

impl Eq for Placeholder {}

#[cfg_attr(not(feature = "systemd"), allow(dead_code, reason = "only systemd's scopes need one"))]
impl Placeholder {
    /// Needs a process with a single thread: the shim, or the runtime's command line.
    pub(crate) fn new(resources: &LinuxResources) -> Result<Placeholder, Errno> {
        let wait = || {
            // Whoever made it may be killed before it is told to go.
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
            loop {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            }
        };
        let (pid, pidfd) = clone_process(&Birth::default(), wait)?;
        // It counts as a process of the container: with a limit of one, init could not be born beside it.
        let held_back = resources.pids().map(|pids| pids.limit()).filter(|limit| *limit == 1);
        Ok(Placeholder(Arc::new(Waiting { pid: pid.0, pidfd, held_back })))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.0.pid
    }

    /// The limit on processes that can only be set without it.
    pub(crate) fn holds_back(&self) -> Option<i64> {
        self.0.held_back
    }

    /// Ends it; once more does no harm.
    pub(crate) fn end(&self) {
        self.0.end();
    }
}

impl Waiting {
    fn end(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        // Somebody else may have reaped it: a subreaper takes what comes.
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end();
    }
}
