//! `tmpcopyup`: a tmpfs that begins with what the image has below it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, fstat, mkdirat, openat, readlinkat,
    statat, symlinkat,
};
use rustix::io::Errno;

/// Copies directories, files and symbolic links with owners and modes; everything else is left out.
pub(crate) fn copy(from: OwnedFd, to: BorrowedFd<'_>) -> Result<(), Errno> {
    let own = fstat(&from)?;
    // `to` may be O_PATH (a mount): it is opened again for changing its owner and mode.
    let to = openat(to, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    own_and_mode(to.as_fd(), own.st_uid, own.st_gid, own.st_mode)?;
    for entry in Dir::read_from(&from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = statat(&from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                mkdirat(&to, name, Mode::from_raw_mode(0o700))?;
                let below = openat(&to, name, flags, Mode::empty())?;
                copy(openat(&from, name, flags, Mode::empty())?, below.as_fd())?;
            }
            FileType::RegularFile => {
                let source = openat(&from, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let target = openat(&to, name, flags, Mode::from_raw_mode(0o600))?;
                while rustix::fs::sendfile(&target, &source, None, 1 << 20)? > 0 {}
                own_and_mode(target.as_fd(), stat.st_uid, stat.st_gid, stat.st_mode)?;
            }
            FileType::Symlink => {
                symlinkat(readlinkat(&from, name, Vec::new())?, &to, name)?;
                let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
                chownat(&to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn own_and_mode(fd: BorrowedFd<'_>, uid: u32, gid: u32, mode: u32) -> Result<(), Errno> {
    fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    fchmod(fd, Mode::from_raw_mode(mode & 0o7777))
}
