//! `sync_file_range(2)`, for what will have to be on disk soon.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::result;

/// Has the kernel begin to write what was written to this part of a file, of which `length` 0 means all from `offset`
/// on. It waits for nothing and makes nothing durable: a later `fsync` has less to do.
///
/// # Errors
/// `ESPIPE` where it is no file on a disk, and those of a disk that failed before.
pub fn begin(file: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), Errno> {
    let [offset, length] = [offset, length].map(|number| number.try_into().map_err(|_| Errno::INVAL));
    // SAFETY: it takes an open descriptor and two numbers, and touches no memory.
    let value = unsafe { libc::sync_file_range(file.as_raw_fd(), offset?, length?, libc::SYNC_FILE_RANGE_WRITE) };
    result(value.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn files_are_written_and_pipes_are_not() {
        let (pipe, _other) = rustix::pipe::pipe().expect("a pipe");
        assert_eq!(begin(pipe.as_fd(), 0, 0), Err(Errno::SPIPE));
        let program = std::fs::File::open("/proc/self/exe").expect("this program");
        assert_eq!(begin(program.as_fd(), 0, 0), Ok(()));
        assert_eq!(begin(program.as_fd(), u64::MAX, 0), Err(Errno::INVAL));
    }
}
