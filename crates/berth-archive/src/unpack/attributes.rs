//! Owner, mode, times and extended attributes of what was made.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, fstat, futimens, lsetxattr, openat, utimensat,
};
use rustix::io::Errno;

use super::Owner;
use crate::{Entry, Kind};

impl Owner {
    /// Whose something is that the archive says is `uid`'s and `gid`'s, unless it is ours as it is.
    fn of(self, uid: u32, gid: u32) -> Option<(Uid, Gid)> {
        match self {
            Self::Recorded => Some((Uid::from_raw(uid), Gid::from_raw(gid))),
            Self::All { uid, gid } => Some((Uid::from_raw(uid), Gid::from_raw(gid))),
            Self::Ours => None,
        }
    }
}

/// Dresses a file or directory that is open. Its times come last, by [`times`].
pub(super) fn set_open(file: impl AsFd, entry: &Entry, owner: Owner) -> Result<(), Errno> {
    let file = file.as_fd();
    // A change of owner takes setuid and capabilities away: so it comes first.
    if let Some((uid, gid)) = owner.of(entry.uid, entry.gid) {
        fchown(file, Some(uid), Some(gid))?;
    }
    fchmod(file, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in wanted(entry) {
        tolerate(fsetxattr(file, name, value, XattrFlags::empty()), name, owner)?;
    }
    Ok(())
}

/// Dresses a directory that the archive does not list. It is nobody's but root's, also where the one above hands its
/// group down (`S_ISGID`).
pub(super) fn set_unlisted(directory: &OwnedFd, owner: Owner) -> Result<(), Errno> {
    if let Some((uid, gid)) = owner.of(0, 0) {
        fchown(directory, Some(uid), Some(gid))?;
    }
    fchmod(directory, Mode::from_raw_mode(0o755))
}

/// Dresses a whiteout: the same holds for it.
pub(super) fn set_whiteout(parent: BorrowedFd<'_>, base: &[u8], mtime: (i64, u32)) -> Result<(), Errno> {
    chownat(parent, base, Some(Uid::ROOT), Some(Gid::ROOT), AtFlags::SYMLINK_NOFOLLOW)?;
    set_times_at(parent, base, mtime)
}

/// Dresses a link, device or pipe.
pub(super) fn set_at(parent: BorrowedFd<'_>, base: &[u8], entry: &Entry, owner: Owner) -> Result<(), Errno> {
    if let Some((uid, gid)) = owner.of(entry.uid, entry.gid) {
        chownat(parent, base, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if entry.kind != Kind::Symlink {
        // `fchmodat` follows links, and by now there may be one under this name.
        let made = openat(parent, base, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&made)?.st_mode) == FileType::Symlink {
            return Err(Errno::LOOP);
        }
        let link = format!("/proc/self/fd/{}", made.as_raw_fd());
        chmodat(CWD, link, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    for (name, value) in wanted(entry) {
        // There is no lsetxattrat before Linux 6.13; the descriptor's link names the very directory.
        let path = [format!("/proc/self/fd/{}/", parent.as_raw_fd()).as_bytes(), base].concat();
        tolerate(lsetxattr(path, name, value, XattrFlags::empty()), name, owner)?;
    }
    set_times_at(parent, base, entry.mtime)
}

/// Sets the times of what is not open.
fn set_times_at(parent: BorrowedFd<'_>, base: &[u8], mtime: (i64, u32)) -> Result<(), Errno> {
    utimensat(parent, base, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)
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

/// Whether an archive may bring this attribute, and is given it.
#[must_use]
pub fn is_wanted(name: &[u8]) -> bool {
    let ours = name == b"security.capability" || name.starts_with(b"system.posix_acl_");
    let users = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
    (ours || users) && CString::new(name).is_ok()
}

/// The names of a list as the kernel gives it.
pub(crate) fn split_list(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&b| b == 0).filter(|name| !name.is_empty())
}

/// A file system that has no such attributes does without; capabilities must not be lost silently, unless by a user
/// who copies for himself and may not set them.
fn tolerate(result: Result<(), Errno>, name: &[u8], owner: Owner) -> Result<(), Errno> {
    match result {
        Err(Errno::OPNOTSUPP | Errno::PERM) if owner == Owner::Ours || name.starts_with(b"user.") => Ok(()),
        Err(Errno::OPNOTSUPP) if name.starts_with(b"system.") => Ok(()),
        result => result,
    }
}
