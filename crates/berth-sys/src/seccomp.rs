//! `seccomp(2)`: installing a filter.

use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;

use crate::{descriptor, result};

const SET_MODE_FILTER: libc::c_ulong = 1;
const NEW_LISTENER: u32 = 1 << 3;

/// Installs a program (an array of `struct sock_filter`) with `SECCOMP_FILTER_FLAG_*` bits; returns the listener where
/// the flags ask for one.
///
/// # Errors
/// `EACCES` without `CAP_SYS_ADMIN` and no-new-privileges, `EINVAL` for a program the kernel refuses.
pub fn install(program: &[u8], flags: u32) -> Result<Option<OwnedFd>, Errno> {
    let len = u16::try_from(program.len() / size_of::<libc::sock_filter>()).map_err(|_| Errno::INVAL)?;
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut().cast() };
    // SAFETY: the kernel copies `len` instructions from the slice, which outlives the call, and writes nothing.
    let value =
        unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, libc::c_ulong::from(flags), &raw const program) };
    let value = result(value)?;
    if flags & NEW_LISTENER == 0 {
        return Ok(None);
    }
    // SAFETY: with this flag a success returns a new descriptor that nobody else owns.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor(value)?) }))
}
