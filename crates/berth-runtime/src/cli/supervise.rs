//! Waiting in the foreground for a process we gave birth to: signals are passed on, orphans reaped, the terminal copied.

use std::os::fd::{AsFd, OwnedFd};

use berth_sys::signal;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, wait, waitid};

use super::CommandError;
use super::console::Proxy;
use crate::launch::Born;

const SIGCHLD: i32 = 17;
const SIGWINCH: i32 = 28;
const SIGURG: i32 = 23;

/// The signals that are passed on, and those we act on ourselves; made before the birth so that none is missed.
#[derive(Debug)]
pub(crate) struct Signals(OwnedFd);

impl Signals {
    pub(crate) fn catch() -> Result<Self, CommandError> {
        // Not those that tell of faults of our own, nor those of job control.
        let ours: Vec<i32> = (1..=31).filter(|number| ![4, 5, 7, 8, 9, 11, 19, 20, 21, 22].contains(number)).collect();
        signal::signalfd(&ours)
            .map(Self)
            .map_err(|errno| CommandError::usage(format!("cannot receive signals: {}", crate::error::cause(errno))))
    }
}

/// Waits until the process has ended; returns its exit code, or 128 and the signal's number.
pub(crate) fn until_end(born: Born, signals: &Signals) -> Result<u8, CommandError> {
    let failed = |errno| CommandError::usage(format!("cannot wait: {}", crate::error::cause(errno)));
    let mut proxy = born.terminal.map(Proxy::new);
    loop {
        if let Some(status) = ended(&born.pidfd).map_err(failed)? {
            drop(proxy);
            reap_orphans();
            return Ok(exit_code(&status));
        }
        match &mut proxy {
            Some(proxy) => proxy.copy_or_wait(signals.0.as_fd()).map_err(failed)?,
            None => wait_for(&signals.0).map_err(failed)?,
        }
        while let Some(number) = signal::next(&signals.0).map_err(failed)? {
            match (number, &proxy) {
                // Orphans that came to us are reaped at the end; the process itself above.
                (SIGCHLD | SIGURG, _) => {}
                (SIGWINCH, Some(proxy)) => proxy.resize(),
                _ => {
                    let _ = signal::send(born.pidfd.as_fd(), number);
                }
            }
        }
    }
}

fn ended(pidfd: &OwnedFd) -> Result<Option<WaitIdStatus>, Errno> {
    waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
}

fn wait_for(fd: &OwnedFd) -> Result<(), Errno> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(fd, PollFlags::IN)], None) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn reap_orphans() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

fn exit_code(status: &WaitIdStatus) -> u8 {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (_, Some(signal)) => 128 + signal,
        _ => 255,
    };
    u8::try_from(code).unwrap_or(255)
}
