//! Signal dispositions and masks, which `execve` would otherwise hand on.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;

use crate::last_errno;

/// Gives every standard signal its default disposition and unblocks all.
///
/// `execve` keeps what is ignored ignored, and Rust's runtime ignores `SIGPIPE`.
pub fn reset() {
    for signal in 1..=31 {
        // SAFETY: SIG_DFL needs no handler. SIGKILL and SIGSTOP are refused, which is right.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let none = set(&[]);
    // SAFETY: reads one initialised sigset_t.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Blocks these signals and makes a `signalfd` (non-blocking, close-on-exec) that reads them.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn signalfd(signals: &[i32]) -> Result<OwnedFd, Errno> {
    let mask = set(signals);
    // SAFETY: reads one initialised sigset_t.
    if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const mask, std::ptr::null_mut()) } == -1 {
        return Err(last_errno());
    }
    // SAFETY: reads one initialised sigset_t.
    let fd = unsafe { libc::signalfd(-1, &raw const mask, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if fd == -1 {
        return Err(last_errno());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The next signal's number from a [`signalfd`], or `None` where none waits.
///
/// # Errors
/// The descriptor's own.
pub fn next(signalfd: &OwnedFd) -> Result<Option<i32>, Errno> {
    let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(signalfd, &mut info) {
        Ok(_) => Ok(Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]]))),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: an all-zero sigset_t is plain data, initialised by the next call.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: writes the one sigset_t.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in signals {
        // SAFETY: writes the one sigset_t; an impossible number is refused.
        unsafe { libc::sigaddset(&raw mut set, *signal) };
    }
    set
}

/// Sends a signal by number to the process behind a pidfd.
///
/// # Errors
/// `ESRCH` where it has ended and been reaped.
pub fn send(pidfd: std::os::fd::BorrowedFd<'_>, signal: i32) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    // SAFETY: takes numbers and a null pointer (the default siginfo).
    crate::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, 0, 0) }).map(drop)
}
