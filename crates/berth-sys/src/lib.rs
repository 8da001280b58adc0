//! The system calls that no crate wraps, each as a safe function over owned and borrowed descriptors, and the kernel's
//! table of mounts.
//!
//! This is the one crate where `unsafe` is allowed: every block is one operation and says why it is sound. It owns no
//! policy and knows nothing of containers; a module reads like the manual page of what it wraps.

#![allow(unsafe_code, reason = "this is the crate that wraps system calls")]

pub mod bpf;
pub mod clone;
pub mod descriptors;
pub mod exec;
pub mod fork;
pub mod loops;
pub mod memory;
pub mod mount;
pub mod mountinfo;
pub mod namespace;
pub mod network;
pub mod scheduling;
pub mod seccomp;
pub mod security;
pub mod signal;
pub mod writeback;

use rustix::io::Errno;

/// A process id as the host's (the caller's) pid namespace numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPid(pub i32);

impl std::fmt::Display for HostPid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a raw system call returned, as a result.
fn result(value: libc::c_long) -> Result<libc::c_long, Errno> {
    if value == -1 { Err(last_errno()) } else { Ok(value) }
}

/// The thread's errno, read directly after a failed call.
fn last_errno() -> Errno {
    let number = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    Errno::from_raw_os_error(number)
}

/// A descriptor number that a system call has just returned.
fn descriptor(value: libc::c_long) -> Result<libc::c_int, Errno> {
    libc::c_int::try_from(value).map_err(|_| Errno::BADF)
}
