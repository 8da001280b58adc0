//! Owner, mode, times and extended attributes of what was made.

use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr, futimens,
    lsetxattr, utimensat,
};
use rustix::io::Errno;

use crate::archive::{Entry, Kind};

/// Dresses a file or directory that is open. Its times come last, by [`times`].
pub(super) fn set_open(file: &OwnedFd, entry: &Entry) -> Result<(), Errno> {
    // A change of owner takes setuid and capabilities away: so it comes first.
    fchown(file, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
    fchmod(file, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in wanted(entry) {
        tolerate(fsetxattr(file, name, value, XattrFlags::empty()), name)?;
    }
    Ok(())
}

/// Dresses a link, device or pipe.
pub(super) fn set_at(parent: BorrowedFd<'_>, base: &[u8], entry: &Entry) -> Result<(), Errno> {
    let owner = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    chownat(parent, base, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
    if entry.kind != Kind::Symlink {
        chmodat(parent, base, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    for (name, value) in wanted(entry) {
        // There is no lsetxattrat before Linux 6.13; the descriptor's link names the very directory.
        let path = [format!("/proc/self/fd/{}/", parent.as_raw_fd()).as_bytes(), base].concat();
        tolerate(lsetxattr(path, name, value, XattrFlags::empty()), name)?;
    }
    utimensat(parent, base, &times(entry.mtime), AtFlags::SYMLINK_NOFOLLOW)
}

/// Sets the times of an open file.
pub(super) fn set_times(file: &OwnedFd, mtime: (i64, u32)) -> Result<(), Errno> {
    futimens(file, &times(mtime))
}

fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    Timestamps { last_access: time, last_modification: time }
}

/// The attributes a layer may bring. Overlay's own (`trusted.overlay.*`) would let it redirect into other layers;
/// security labels are the host's business.
fn wanted(entry: &Entry) -> impl Iterator<Item = (&CStrName, &[u8])> {
    entry.xattrs.iter().filter(|(name, _)| is_wanted(name)).map(|(name, value)| (name, value.as_slice()))
}

type CStrName = Vec<u8>;

fn is_wanted(name: &[u8]) -> bool {
    let ours = name == b"security.capability" || name.starts_with(b"system.posix_acl_");
    let users = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
    (ours || users) && CString::new(name).is_ok()
}

/// A file system that has no such attributes does without; capabilities must not be lost silently.
fn tolerate(result: Result<(), Errno>, name: &[u8]) -> Result<(), Errno> {
    match result {
        Err(Errno::OPNOTSUPP | Errno::PERM) if name.starts_with(b"user.") => Ok(()),
        Err(Errno::OPNOTSUPP) if name.starts_with(b"system.") => Ok(()),
        result => result,
    }
}
