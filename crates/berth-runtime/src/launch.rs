//! Giving birth to a container's init: the parent's half.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use berth_cgroup::Cgroup;
use berth_seccomp::Filter;
use berth_sys::HostPid;
use oci_spec::runtime::Spec;

use crate::error::LaunchError;

/// The container's root file system.
#[derive(Debug)]
pub enum Root {
    /// A directory; relative to the bundle.
    Path(PathBuf),
    /// A detached mount (`fsmount`, `open_tree`): attached in the container's mount namespace only.
    Mount(OwnedFd),
}

/// What the process has for standard input, output and error.
#[derive(Debug)]
pub enum Stdio<'a> {
    /// These three descriptors.
    Fds([BorrowedFd<'a>; 3]),
    /// A new pseudo-terminal from the container's own devpts; its master is [`Born::terminal`].
    Terminal {
        /// Height in characters; 0 leaves the kernel's default.
        rows: u16,
        /// Width in characters; 0 leaves the kernel's default.
        columns: u16,
    },
}

/// When the user's program is executed.
#[derive(Debug)]
pub enum Start {
    /// At once; [`launch`] returns after `execve`.
    AtOnce,
    /// When somebody connects to this listening unix stream socket and writes a byte; [`launch`] returns when the init
    /// waits there. The connection is closed by `execve`, or carries the error's sentence.
    Gated(OwnedFd),
}

/// Everything needed to give birth to an init. See [`launch`].
#[derive(Debug)]
pub struct Launch<'a> {
    /// The container's id, for hooks, the session keyring and messages.
    pub id: &'a str,
    /// The OCI runtime specification.
    pub spec: &'a Spec,
    /// The bundle; relative paths of the specification resolve here.
    pub bundle: &'a Path,
    /// The root file system.
    pub root: Root,
    /// Join this network namespace instead of what the specification says.
    pub network: Option<BorrowedFd<'a>>,
    /// Already made and limited; the init enters it by itself.
    pub cgroup: Option<&'a Cgroup>,
    /// The filter, compiled before; `None` compiles the specification's.
    pub seccomp: Option<&'a Filter>,
    /// Standard input, output and error.
    pub stdio: Stdio<'a>,
    /// When the user's program starts.
    pub start: Start,
    /// Descriptors 3 … 3 + n − 1 of the caller stay open in the container.
    pub preserve_fds: u32,
    /// `chroot` in place of `pivot_root`, for hosts that run from an initramfs.
    pub no_pivot: bool,
    /// Keep the caller's session keyring.
    pub no_new_keyring: bool,
}

/// A process that was born.
#[derive(Debug)]
pub struct Born {
    /// Its pid in the caller's pid namespace.
    pub pid: HostPid,
    /// Readable when it has ended; the caller is its parent and reaps it.
    pub pidfd: OwnedFd,
    /// The pseudo-terminal's master.
    pub terminal: Option<OwnedFd>,
}

/// Gives birth to a container's init.
///
/// The caller must be single-threaded; it becomes the parent. With [`Start::AtOnce`] the user's program has been
/// executed when this returns. On an error nothing is left: the child has been reaped and its mounts are gone with it.
///
/// # Errors
/// The step that failed, with its object and errno.
pub fn launch(launch: Launch<'_>) -> Result<Born, LaunchError> {
    Err(LaunchError::other(format!("{}: not built yet", launch.id)))
}
