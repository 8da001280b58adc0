//! How the kernel schedules this process: `sched_setattr(2)`, `ioprio_set(2)`, `personality(2)`, `set_mempolicy(2)`.

use rustix::io::Errno;

use crate::result;

/// The kernel's `struct sched_attr`; times are in nanoseconds.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Scheduling {
    size: u32,
    /// `SCHED_*`
    pub policy: u32,
    /// `SCHED_FLAG_*`
    pub flags: u64,
    /// -20 … 19
    pub nice: i32,
    /// 1 … 99 for the real-time policies
    pub priority: u32,
    /// `SCHED_DEADLINE` only
    pub runtime: u64,
    /// `SCHED_DEADLINE` only
    pub deadline: u64,
    /// `SCHED_DEADLINE` only
    pub period: u64,
}

/// Schedules this process so.
///
/// # Errors
/// `EPERM` where the policy needs `CAP_SYS_NICE`, `EINVAL` for an impossible combination.
pub fn set_scheduling(scheduling: Scheduling) -> Result<(), Errno> {
    let mut attr = Scheduling { size: size_of::<Scheduling>() as u32, ..scheduling };
    // SAFETY: the kernel reads `size` bytes of `attr`, which outlives the call.
    result(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut attr, 0) }).map(drop)
}

/// Sets this process's IO priority: class 1 (real time), 2 (best effort) or 3 (idle), level 0 … 7.
///
/// # Errors
/// `EPERM` for real time without privilege.
pub fn set_io_priority(class: u32, level: u32) -> Result<(), Errno> {
    const WHO_PROCESS: u32 = 1;
    // SAFETY: takes numbers only.
    result(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, (class << 13) | level) }).map(drop)
}

/// Sets the execution domain (`PER_LINUX`, `PER_LINUX32`, with `ADDR_NO_RANDOMIZE` and so on as bits).
///
/// # Errors
/// `EINVAL` where the kernel knows no such domain.
pub fn set_personality(persona: u32) -> Result<(), Errno> {
    // SAFETY: takes a number only.
    result(unsafe { libc::syscall(libc::SYS_personality, libc::c_ulong::from(persona)) }).map(drop)
}

/// Sets the memory policy: mode with its flags, and the nodes as a bit mask, least significant word first.
///
/// # Errors
/// `ENOSYS` without NUMA, `EINVAL` for nodes that are not there.
pub fn set_memory_policy(mode: u32, nodes: &[u64]) -> Result<(), Errno> {
    let bits = nodes.len() as u64 * 64 + u64::from(!nodes.is_empty());
    let pointer = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads `bits - 1` bits from `nodes`, which outlives the call.
    result(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, pointer, bits) }).map(drop)
}
