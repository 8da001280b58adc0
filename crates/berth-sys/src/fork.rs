//! `fork(2)`, for where `clone3` is refused: seccomp cannot see its flags, so Docker's profile answers `ENOSYS`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;

use crate::{HostPid, last_errno};

/// Runs `child` in a copy of this process; what `child` returns is its exit status.
///
/// For programs with one thread: unlike [`crate::clone::clone_process`] it does not ask, as `/proc` may not be there.
///
/// # Errors
/// `EAGAIN` at the limit of processes.
pub fn fork(child: impl FnOnce() -> i32) -> Result<HostPid, Errno> {
    // SAFETY: libc's fork takes its own locks, so that its allocator works in the copy of a process with other threads
    // too; the child runs `child` only and ends.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        0 => {
            let status = catch_unwind(AssertUnwindSafe(child)).unwrap_or(101);
            // SAFETY: ends the process at once; nothing of the copied caller is run again.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(HostPid(pid)),
    }
}
