//! What a process is to others: its session keyring.

use std::ffi::CStr;

use rustix::io::Errno;

use crate::result;

/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING)`: a new session keyring of that name in place of the inherited one.
///
/// # Errors
/// `ENOSYS` in a kernel without keys, `EDQUOT` where the user has too many.
pub fn join_session_keyring(name: &CStr) -> Result<(), Errno> {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: reads the NUL-ended name, which outlives the call.
    result(unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name.as_ptr()) }).map(drop)
}
