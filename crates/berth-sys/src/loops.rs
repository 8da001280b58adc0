//! Loop devices (`loop(4)`): a file as a block device.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::last_errno;

const CONFIGURE: libc::Ioctl = 0x4C0A;
const GET_FREE: libc::Ioctl = 0x4C82;
const READ_ONLY: u32 = 1;
const AUTOCLEAR: u32 = 4;

/// The smallest sector there is.
const SECTOR: u32 = 512;

/// So many devices may be snatched away by others before it is given up.
const TRIES: usize = 64;

/// The kernel's `struct loop_config`, with the `struct loop_info64` in it.
#[repr(C)]
struct Config {
    file: u32,
    block_size: u32,
    before_flags: [u64; 6],
    key_size: u32,
    flags: u32,
    after_flags: [u64; 22],
    reserved: [u64; 8],
}

const _: () = assert!(std::mem::size_of::<Config>() == 304);

/// A device that reads `file`, and its path. It goes with its last user: this descriptor, or a mount of it.
///
/// # Errors
/// `ENOENT` where the kernel has no loop devices, or the kernel's own.
pub fn attach(file: BorrowedFd<'_>) -> Result<(OwnedFd, String), Errno> {
    let open = |path: &str| openat(CWD, path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    let control = open("/dev/loop-control")?;
    let config = Config {
        file: u32::try_from(file.as_raw_fd()).map_err(|_| Errno::BADF)?,
        block_size: SECTOR,
        before_flags: [0; 6],
        key_size: 0,
        flags: READ_ONLY | AUTOCLEAR,
        after_flags: [0; 22],
        reserved: [0; 8],
    };
    for _ in 0..TRIES {
        // SAFETY: LOOP_CTL_GET_FREE takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE) };
        if number == -1 {
            return Err(last_errno());
        }
        let path = format!("/dev/loop{number}");
        let device = open(&path)?;
        // SAFETY: LOOP_CONFIGURE reads one loop_config, whose layout this is and which outlives the call.
        let value = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const config) };
        match value {
            -1 if last_errno() == Errno::BUSY => {}
            -1 => return Err(last_errno()),
            _ => return Ok((device, path)),
        }
    }
    Err(Errno::BUSY)
}
