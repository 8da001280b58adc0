//! Our own program, out of a container's reach.

use std::os::fd::OwnedFd;

use crate::error::LaunchError;

/// Our own binary as an `O_PATH` descriptor on a read-only detached mount.
///
/// A process executed from it (`execveat` with an empty path, or `/proc/self/fd/N`) has a `/proc/self/exe` that nobody
/// can open for writing, whatever becomes of the mounts around it.
///
/// # Errors
/// Without `CAP_SYS_ADMIN`, or where the kernel lacks `open_tree` and `mount_setattr` (before 5.12).
pub fn own_program() -> Result<OwnedFd, LaunchError> {
    Err(LaunchError::other("not built yet".to_owned()))
}
