//! `unshare(2)` of the calling thread.

use rustix::io::Errno;

use crate::result;

/// Gives the calling thread a mount namespace of its own, a copy of the one it was in, and with it a root and working
/// directory of its own. For a thread that ends when it has done its work: it can never go back to sharing.
///
/// # Errors
/// The kernel's own; `EPERM` without `CAP_SYS_ADMIN`.
pub fn unshare_mounts() -> Result<(), Errno> {
    // SAFETY: the call takes no pointer; other threads keep what they have, so nothing that safe code relies on changes.
    let value = unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNS | libc::CLONE_FS) };
    result(value).map(drop)
}
