//! Large files that were replaced: the kernel takes its time to give their room back, and whoever copies a new one over
//! them need not wait for that.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, openat};

/// From this size on it is worth a descriptor.
const LARGE: i64 = 4 << 20;

/// Descriptors at most.
const MOST: usize = 32;

/// Files that live on, without a name, until this is dropped; then they go on a thread of their own.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    files: Vec<OwnedFd>,
}

impl Replaced {
    /// Keeps what is about to be replaced, if it is a large file. Whatever has the name by then: it is only held, and
    /// neither read nor changed.
    pub(super) fn hold(&mut self, parent: BorrowedFd<'_>, base: &[u8]) {
        if self.files.len() >= MOST {
            return;
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(file) = openat(parent, base, flags, Mode::empty()) else { return };
        let is_large = fstat(&file).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && stat.st_nlink == 1
                && stat.st_size >= LARGE
        });
        if is_large {
            self.files.push(file);
        }
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let files = std::mem::take(&mut self.files);
        if !files.is_empty() {
            // Without a thread they go here and now, with the closure.
            drop(std::thread::Builder::new().name("replaced".into()).spawn(move || drop(files)));
        }
    }
}
