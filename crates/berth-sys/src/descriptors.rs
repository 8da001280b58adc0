//! Descriptor numbers: closing whole ranges of them, as a process does that is about to become another program.

use std::os::fd::RawFd;

use rustix::io::Errno;

use crate::{last_errno, result};

/// `close_range(2)`: closes every descriptor from 3 on but those in `keep`.
///
/// For a newborn process on its way to `execve`: whatever owned those descriptors in the process it was copied from is
/// never dropped in the copy.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_all_but(keep: &[RawFd]) -> Result<(), Errno> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).filter(|fd| *fd >= 3).collect();
    keep.sort_unstable();
    let mut first = 3;
    for fd in keep {
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = first.max(fd + 1);
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: takes numbers only; what closing them means is the caller's contract (see `close_all_but`).
    result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Lets a descriptor survive `execve`; it need not be open (`EBADF` is told).
///
/// # Errors
/// `EBADF` where it is not open.
pub fn keep_across_exec(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: changes one flag of one descriptor.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } == -1 { Err(last_errno()) } else { Ok(()) }
}

/// The descriptor of that number, as handed to this process by the one that executed it.
///
/// # Errors
/// `EBADF` where it is not open.
pub fn inherited(fd: RawFd) -> Result<std::os::fd::OwnedFd, Errno> {
    use std::os::fd::FromRawFd;
    // SAFETY: asks for one flag.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
        return Err(last_errno());
    }
    // SAFETY: it is open, and the caller says that it was inherited: nothing else in this process owns it.
    Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
}
