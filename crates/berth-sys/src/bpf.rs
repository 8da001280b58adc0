//! `bpf(2)`, as far as device programs of cgroups need it.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use crate::{descriptor, result};

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const F_ALLOW_MULTI: u32 = 2;
/// More programs than anybody attaches to one cgroup.
const MOST_PROGRAMS: usize = 64;

/// One eBPF instruction: the kernel's `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation, size and mode.
    pub code: u8,
    /// The source register in the upper four bits, the destination in the lower (on little-endian machines).
    pub registers: u8,
    /// Jump distance or memory offset.
    pub offset: i16,
    /// Constant.
    pub immediate: i32,
}

#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// Loads a program that decides on access to devices (`BPF_PROG_TYPE_CGROUP_DEVICE`).
///
/// # Errors
/// `EPERM` without `CAP_BPF` or `CAP_SYS_ADMIN`, `EINVAL` and `EACCES` where the verifier refuses it.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let mut load = Load {
        program_type: PROG_TYPE_CGROUP_DEVICE,
        count: u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    let value = call(PROG_LOAD, &mut load)?;
    // SAFETY: a success returns a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor(value)?) })
}

/// Attaches a device program to a cgroup beside those already there; all of them must permit an access.
///
/// # Errors
/// `EPERM` where an ancestor's program forbids more.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut attach = Attach {
        target: number(cgroup)?,
        program: number(program)?,
        kind: CGROUP_DEVICE,
        flags: F_ALLOW_MULTI,
        replaced: 0,
    };
    call(PROG_ATTACH, &mut attach).map(drop)
}

/// Detaches the device program with this id from a cgroup.
///
/// # Errors
/// `ENOENT` where there is none.
pub fn detach_device_program(cgroup: BorrowedFd<'_>, id: u32) -> Result<(), Errno> {
    let mut by_id = Attach { target: id, ..Attach::default() };
    let value = call(PROG_GET_FD_BY_ID, &mut by_id)?;
    // SAFETY: a success returns a new descriptor that nobody else owns.
    let program = unsafe { OwnedFd::from_raw_fd(descriptor(value)?) };
    let mut attach = Attach {
        target: number(cgroup)?,
        program: u32::try_from(program.as_raw_fd()).map_err(|_| Errno::BADF)?,
        kind: CGROUP_DEVICE,
        ..Attach::default()
    };
    call(PROG_DETACH, &mut attach).map(drop)
}

/// The ids of the device programs attached to a cgroup itself.
///
/// # Errors
/// `ENOSPC` where there are more than anybody attaches.
pub fn device_programs(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let mut ids = vec![0_u32; MOST_PROGRAMS];
    let mut query = Query {
        target: number(cgroup)?,
        kind: CGROUP_DEVICE,
        ids: ids.as_mut_ptr() as u64,
        count: MOST_PROGRAMS as u32,
        ..Query::default()
    };
    call(PROG_QUERY, &mut query)?;
    ids.truncate(query.count as usize);
    Ok(ids)
}

fn number(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    u32::try_from(fd.as_raw_fd()).map_err(|_| Errno::BADF)
}

/// `attributes` is one of the structures above, whose pointers lead to memory that outlives the call.
fn call<T>(command: libc::c_int, attributes: &mut T) -> Result<libc::c_long, Errno> {
    let attributes: *mut T = attributes;
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes, and what its pointers say, which the callers own.
    result(unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) })
}
