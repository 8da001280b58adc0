//! One process of the container, init or exec, with its streams.

use std::os::fd::{AsFd, OwnedFd};

use berth_runtime::Born;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitStatus, kill_process_group};

use crate::relay::Relay;
use crate::stdio::{Prepared, Terminal};

const SIGKILL: i32 = 9;

/// A born process.
#[derive(Debug)]
pub(crate) struct Session {
    /// How it is spoken of; `None`: it is init.
    pub(crate) exec: Option<String>,
    /// As the host numbers it.
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) relay: Relay,
    terminal: Option<Terminal>,
    /// Reaped.
    pub(crate) ended: bool,
}

impl Session {
    pub(crate) fn new(
        number: u32,
        exec: Option<String>,
        born: Born,
        stdio: Prepared,
        stdin_once: bool,
    ) -> Result<Self, Errno> {
        let (ends, terminal) = stdio.into_ours(born.terminal)?;
        let relay = Relay::new(number, ends, stdin_once);
        Ok(Self { exec, pid: born.pid.0, pidfd: born.pidfd, relay, terminal, ended: false })
    }

    /// Sends a signal by number; `ESRCH` once it has ended.
    pub(crate) fn signal(&self, number: i32) -> Result<(), Errno> {
        if self.ended {
            return Err(Errno::SRCH);
        }
        berth_sys::signal::send(self.pidfd.as_fd(), number)
    }

    /// Kills it and what is left of its process group: it leads one, and its number is its own until it is reaped.
    pub(crate) fn kill_group(&self) -> Result<(), Errno> {
        self.signal(SIGKILL)?;
        match Pid::from_raw(self.pid).map(|group| kill_process_group(group, Signal::KILL)) {
            Some(Err(errno)) if errno != Errno::SRCH => Err(errno),
            _ => Ok(()),
        }
    }

    /// Sets the size of its pty. Without one there is nothing to set, and that is no error, as it is none to Docker.
    pub(crate) fn resize(&self, rows: u16, columns: u16) -> Result<(), Errno> {
        self.terminal.as_ref().map_or(Ok(()), |terminal| terminal.resize(rows, columns))
    }

    /// It was reaped. Lets go of the pty, so that what is left in it can be read to its end.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.terminal = None;
    }
}

/// An exit status as Docker counts it: the code, or 128 and the signal.
pub(crate) fn exit_code(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    }
}
