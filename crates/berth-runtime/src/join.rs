//! A further process in a running container (exec).

use std::os::fd::BorrowedFd;

use berth_cgroup::Cgroup;
use berth_seccomp::Filter;
use berth_sys::HostPid;
use oci_spec::runtime::Process;

use crate::error::LaunchError;
use crate::launch::{Born, Stdio};

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
/// The caller must be single-threaded and becomes the parent.
///
/// # Errors
/// The step that failed, with its object and errno.
pub fn join(join: Join<'_>) -> Result<Born, LaunchError> {
    Err(LaunchError::other(format!("{:?}: not built yet", join.init_pid)))
}
