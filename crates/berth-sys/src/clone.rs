//! `clone3(2)`: a child straight in its namespaces and its cgroup, with a pidfd.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;

use crate::{HostPid, descriptor, result};

/// `CLONE_NEW…`: the namespaces a child gets of its own, as a set of bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces(pub u64);

impl Namespaces {
    /// `CLONE_NEWTIME`
    pub const TIME: Self = Self(0x80);
    /// `CLONE_NEWNS`
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS as u64);
    /// `CLONE_NEWCGROUP`
    pub const CGROUP: Self = Self(libc::CLONE_NEWCGROUP as u64);
    /// `CLONE_NEWUTS`
    pub const UTS: Self = Self(libc::CLONE_NEWUTS as u64);
    /// `CLONE_NEWIPC`
    pub const IPC: Self = Self(libc::CLONE_NEWIPC as u64);
    /// `CLONE_NEWUSER`
    pub const USER: Self = Self(libc::CLONE_NEWUSER as u64);
    /// `CLONE_NEWPID`
    pub const PID: Self = Self(libc::CLONE_NEWPID as u64);
    /// `CLONE_NEWNET`
    pub const NETWORK: Self = Self(libc::CLONE_NEWNET as u64);

    const ALL: u64 = Self::TIME.0
        | Self::MOUNT.0
        | Self::CGROUP.0
        | Self::UTS.0
        | Self::IPC.0
        | Self::USER.0
        | Self::PID.0
        | Self::NETWORK.0;

    /// Whether all of `other` are among these.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// How a child is born.
#[derive(Debug, Default)]
pub struct Birth<'a> {
    /// Namespaces of its own.
    pub namespaces: Namespaces,
    /// `CLONE_INTO_CGROUP`: a directory of the cgroup v2 hierarchy.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// `CLONE_PARENT`: the caller's parent becomes the child's.
    pub sibling: bool,
}

/// `CLONE_CLEAR_SIGHAND` and `CLONE_INTO_CGROUP`: libc's constants are too narrow.
const CLEAR_SIGHAND: u64 = 1 << 32;
const INTO_CGROUP: u64 = 1 << 33;

/// The kernel's `struct clone_args`, version 2.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Runs `child` in a new process, a copy of this one; what `child` returns is its exit status.
///
/// Signal handlers are reset in the child (`CLONE_CLEAR_SIGHAND`). A panic in `child` is exit status 101; no destructor
/// of the caller's frames runs in the child.
///
/// # Errors
/// `EDEADLK` where this process has more than one thread: the copy would have one thread and everybody's locks.
/// Otherwise `clone3`'s own.
pub fn clone_process(birth: &Birth<'_>, child: impl FnOnce() -> i32) -> Result<(HostPid, OwnedFd), Errno> {
    if !single_threaded()? {
        return Err(Errno::DEADLK);
    }
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs {
        flags: libc::CLONE_PIDFD as u64 | CLEAR_SIGHAND | birth.namespaces.0,
        pidfd: std::ptr::from_mut(&mut pidfd) as u64,
        exit_signal: if birth.sibling { 0 } else { libc::SIGCHLD as u64 },
        ..CloneArgs::default()
    };
    if birth.sibling {
        args.flags |= libc::CLONE_PARENT as u64;
    }
    if let Some(cgroup) = birth.cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = u64::try_from(cgroup.as_raw_fd()).map_err(|_| Errno::BADF)?;
    }
    // SAFETY: no CLONE_VM, so the child has its own copy of memory, and this is the only thread (checked above), so
    // that the copy is consistent: what fork() does. `args` and `pidfd` outlive the call.
    let value = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    if result(value)? == 0 {
        let status = catch_unwind(AssertUnwindSafe(child)).unwrap_or(101);
        // SAFETY: ends the process at once; nothing of the copied caller is run again.
        unsafe { libc::_exit(status) }
    }
    // SAFETY: the kernel has just stored a new descriptor there, and nobody else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((HostPid(descriptor(value)?), pidfd))
}

/// `unshare(2)`: makes namespaces for this process (of pid and time namespaces: for its children).
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`, `EUSERS` and `ENOSPC` where there are too many.
pub fn unshare(namespaces: Namespaces) -> Result<(), Errno> {
    // SAFETY: takes a number. Only namespace bits are passed on, none that would tear apart what threads share.
    result(unsafe { libc::syscall(libc::SYS_unshare, namespaces.0 & Namespaces::ALL) }).map(drop)
}

/// Whether this process has one thread only.
fn single_threaded() -> Result<bool, Errno> {
    // The link count of a directory is 2 and its subdirectories: one for each thread.
    Ok(rustix::fs::stat("/proc/self/task")?.st_nlink == 3)
}
