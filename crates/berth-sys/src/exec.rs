//! `execve(2)`: becoming another program.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::last_errno;

/// Becomes the program at `path`; returns only when that failed.
#[must_use]
pub fn execve(path: &CStr, args: &[CString], env: &[CString]) -> Errno {
    let args = pointers(args);
    let env = pointers(env);
    // SAFETY: the strings and both NULL-ended arrays live until the call returns, if it does.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    last_errno()
}

/// Becomes the program that `file` is open on (`O_PATH` will do); returns only when that failed.
#[must_use]
pub fn execve_file(file: BorrowedFd<'_>, args: &[CString], env: &[CString]) -> Errno {
    let args = pointers(args);
    let env = pointers(env);
    // SAFETY: as above; the path is the empty string, so that the descriptor itself is meant.
    unsafe {
        libc::execveat(file.as_raw_fd(), c"".as_ptr(), args.as_ptr().cast(), env.as_ptr().cast(), libc::AT_EMPTY_PATH)
    };
    last_errno()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}
