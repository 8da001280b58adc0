//! Copy-up: an empty volume begins with what the image has at its path.
//!
//! Both sides may be hostile: the image's content is looked up within the container's root only (`openat2`, so that no
//! link leads out of it), and a volume that another container writes to while we copy is never followed through a link
//! either. Everything is reached by descriptor. Owner, mode, extended attributes, hard links and times are kept.

use std::collections::HashMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat,
    fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens, linkat, mkdirat, mknodat, openat, openat2,
    readlinkat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

/// What could not be copied.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) path: PathBuf,
    pub(super) errno: Errno,
}

type Done = Result<(), Failed>;

/// What the image has where the volume will be mounted.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// Something that is no directory: no volume can be mounted there.
    File,
    /// A directory.
    Directory(OwnedFd),
}

/// Looks below `root`, an image's root file system.
pub(super) fn find(root: BorrowedFd<'_>, path: &Path) -> Result<Found, Errno> {
    match within(root, path, OFlags::RDONLY | OFlags::DIRECTORY, ResolveFlags::IN_ROOT) {
        Ok(directory) => Ok(Found::Directory(directory)),
        Err(Errno::NOENT) => Ok(Found::Nothing),
        Err(Errno::NOTDIR) => match within(root, path, OFlags::PATH, ResolveFlags::IN_ROOT) {
            Ok(_) => Ok(Found::File),
            // A file on the way: the mount point cannot be made, and the start will say so.
            Err(_) => Ok(Found::Nothing),
        },
        Err(errno) => Err(errno),
    }
}

/// `openat2`, again where something was renamed meanwhile.
pub(super) fn within(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..64 {
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

/// Whether nothing is in a directory.
pub(super) fn is_empty(directory: BorrowedFd<'_>) -> Result<bool, Errno> {
    for entry in Dir::read_from(directory)? {
        if !is_dot(entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_dot(name: &CStr) -> bool {
    name == c"." || name == c".."
}

/// Copies what is in `from`, and what `from` itself is, into the empty directory `to`.
pub(super) fn copy(from: OwnedFd, to: BorrowedFd<'_>) -> Done {
    let mut copy = Copy { top: to, links: HashMap::new() };
    let stat = fstat(&from).map_err(at(Path::new("")))?;
    copy.directory(from, to, &stat, Path::new(""))
}

fn at(path: &Path) -> impl Fn(Errno) -> Failed {
    move |errno| Failed { path: path.to_owned(), errno }
}

struct Copy<'a> {
    top: BorrowedFd<'a>,
    /// Where a file with several names was copied to first.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copy<'_> {
    fn directory(&mut self, from: OwnedFd, to: BorrowedFd<'_>, stat: &Stat, path: &Path) -> Done {
        for entry in Dir::read_from(&from).map_err(at(path))? {
            let entry = entry.map_err(at(path))?;
            if !is_dot(entry.file_name()) {
                let name = entry.file_name();
                let path = path.join(Path::new(std::ffi::OsStr::from_bytes(name.to_bytes())));
                self.entry(from.as_fd(), to, name, &path)?;
            }
        }
        attributes(from.as_fd(), to).and_then(|()| dress(to, stat)).map_err(at(path))
    }

    fn entry(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, path: &Path) -> Done {
        let failed = at(path);
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(&failed)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::Directory && stat.st_nlink > 1 && self.linked(to, name, &stat, path)? {
            return Ok(());
        }
        match kind {
            FileType::Directory => {
                mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(&failed)?;
                let below = open_directory(to, name).map_err(&failed)?;
                self.directory(open_directory(from, name).map_err(&failed)?, below.as_fd(), &stat, path)
            }
            FileType::RegularFile => file(from, to, name, &stat).map_err(failed),
            FileType::Symlink => symlink(from, to, name, &stat).map_err(failed),
            FileType::Socket => Ok(()),
            kind => special(to, name, kind, &stat).map_err(failed),
        }
    }

    /// Links a file that was copied under another name; the first name is remembered.
    fn linked(&mut self, to: BorrowedFd<'_>, name: &CStr, stat: &Stat, path: &Path) -> Result<bool, Failed> {
        let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) else {
            self.links.insert((stat.st_dev, stat.st_ino), path.to_owned());
            return Ok(false);
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let linked = within(self.top, first, OFlags::PATH | OFlags::NOFOLLOW, resolve)
            .and_then(|first| linkat(&first, c"", to, name, AtFlags::EMPTY_PATH));
        linked.map_err(at(path)).map(|()| true)
    }
}

use std::os::unix::ffi::OsStrExt;

fn open_directory(parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = openat(from, name, flags, Mode::empty())?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat(to, name, flags, Mode::from_raw_mode(0o600))?;
    while rustix::fs::sendfile(&target, &source, None, 1 << 30)? > 0 {}
    attributes(source.as_fd(), target.as_fd())?;
    dress(target.as_fd(), stat)
}

fn symlink(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Errno> {
    symlinkat(readlinkat(from, name, Vec::new())?, to, name)?;
    own(to, name, stat)
}

fn special(to: BorrowedFd<'_>, name: &CStr, kind: FileType, stat: &Stat) -> Result<(), Errno> {
    // The umask is the daemon's; what it would take away is given back on a descriptor, which is not opened for use.
    mknodat(to, name, kind, Mode::from_raw_mode(stat.st_mode & 0o777), stat.st_rdev)?;
    own(to, name, stat)?;
    let node = openat(to, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let through = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&node));
    rustix::fs::chmod(through.as_str(), Mode::from_raw_mode(stat.st_mode & 0o7777))
}

fn own(parent: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    utimensat(parent, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

/// Owner first: changing it takes the set-user-id bit away.
fn dress(fd: BorrowedFd<'_>, stat: &Stat) -> Result<(), Errno> {
    fchown(fd, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    fchmod(fd, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    futimens(fd, &times(stat))
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds: i64, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Extended attributes: capabilities of files, and what users set. Where the target takes none there are none.
fn attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno> {
    let names = match sized(|buffer| flistxattr(from, spare_capacity(buffer))) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        names => names?,
    };
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let value = match sized(|buffer| fgetxattr(from, name, spare_capacity(buffer))) {
            Err(Errno::NODATA) => continue,
            value => value?,
        };
        match fsetxattr(to, name, &value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Reads what has no size before it is read; the kernel's bound is 64 KiB.
fn sized(read: impl Fn(&mut Vec<u8>) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = Vec::with_capacity(1024);
    match read(&mut buffer) {
        Err(Errno::RANGE) => {}
        read => return read.map(|_| buffer),
    }
    buffer = Vec::with_capacity(64 << 10);
    read(&mut buffer).map(|_| buffer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use rustix::fs::{CWD, lgetxattr, lsetxattr};

    use super::*;

    fn open(path: &Path) -> OwnedFd {
        openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    /// Everything about a file that a copy keeps.
    fn facts(path: &Path) -> (u32, u32, u32, u64, i64, u64) {
        let file = fs::symlink_metadata(path).unwrap();
        (file.mode(), file.uid(), file.gid(), file.nlink(), file.mtime(), file.rdev())
    }

    #[test]
    fn a_copy_keeps_everything() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (a, b) = (from.path(), to.path());
        fs::create_dir_all(a.join("sub/deep")).unwrap();
        fs::write(a.join("sub/file"), vec![7; 3 << 20]).unwrap();
        fs::hard_link(a.join("sub/file"), a.join("again")).unwrap();
        fs::write(a.join("tool"), "x").unwrap();
        symlink("/etc/passwd", a.join("link")).unwrap();
        mknodat(CWD, a.join("pipe").as_path(), FileType::Fifo, Mode::from_raw_mode(0o620), 0).unwrap();
        mknodat(CWD, a.join("null").as_path(), FileType::CharacterDevice, Mode::from_raw_mode(0o666), 0x103).unwrap();
        for (path, uid, mode) in [("", 33, 0o750), ("sub", 5, 0o2775), ("sub/file", 7, 0o640), ("tool", 9, 0o4755)] {
            chown(a.join(path), Some(uid), Some(uid + 1)).unwrap();
            fs::set_permissions(a.join(path), PermissionsExt::from_mode(mode)).unwrap();
        }
        lsetxattr(a.join("tool").as_path(), "user.note", b"kept", XattrFlags::empty()).unwrap();
        lsetxattr(a, "user.top", b"too", XattrFlags::empty()).unwrap();
        copy(open(a), open(b).as_fd()).unwrap();
        for path in ["", "sub", "sub/deep", "sub/file", "again", "tool", "link", "pipe", "null"] {
            let (mut wanted, mut got) = (facts(&a.join(path)), facts(&b.join(path)));
            if path.is_empty() {
                (wanted.3, got.3) = (0, 0);
            }
            assert_eq!(wanted, got, "{path}");
        }
        assert_eq!(fs::read(b.join("again")).unwrap(), vec![7; 3 << 20]);
        assert_eq!(fs::metadata(b.join("again")).unwrap().ino(), fs::metadata(b.join("sub/file")).unwrap().ino());
        assert_eq!(fs::read_link(b.join("link")).unwrap(), Path::new("/etc/passwd"));
        let mut value = [0; 8];
        let length = lgetxattr(b.join("tool").as_path(), "user.note", &mut value).unwrap();
        assert_eq!(&value[..length], b"kept");
        assert_eq!(lgetxattr(b, "user.top", &mut value).unwrap(), 3);
    }

    #[test]
    fn links_are_followed_within_the_root_only() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("data")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        symlink("/data", root.path().join("inside")).unwrap();
        symlink("/../../../../../../../etc", root.path().join("outside")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let fd = open(root.path());
        let found = |path: &str| find(fd.as_fd(), Path::new(path));
        assert!(matches!(found("/data"), Ok(Found::Directory(_))));
        assert!(matches!(found("/inside/../inside"), Ok(Found::Directory(_))));
        assert!(matches!(found("/outside"), Ok(Found::Nothing)), "the root has no etc");
        assert!(matches!(found("/outside/../../../etc"), Ok(Found::Nothing)));
        assert!(matches!(found("/file"), Ok(Found::File)));
        assert!(matches!(found("/file/below"), Ok(Found::Nothing)));
        assert!(matches!(found("/loop"), Err(Errno::LOOP)));
    }

    /// Somebody who can write to the volume exchanges what we made by links while we copy.
    #[test]
    fn a_volume_that_is_tampered_with() {
        let (from, to, outside) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for n in 0..200 {
            fs::create_dir_all(from.path().join(format!("d{n}"))).unwrap();
            fs::write(from.path().join(format!("d{n}/f")), "content").unwrap();
        }
        let stop = std::sync::atomic::AtomicBool::new(false);
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    for entry in fs::read_dir(to.path()).unwrap().flatten() {
                        let moved = outside.path().with_extension("gone");
                        if fs::rename(entry.path(), &moved).is_ok() {
                            let _ = symlink(outside.path(), entry.path());
                            let _ = fs::remove_dir_all(&moved);
                        }
                    }
                }
            });
            let outcome = copy(open(from.path()), open(to.path()).as_fd());
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            outcome
        });
        // It may have failed; it has not written through a link.
        assert!(fs::read_dir(outside.path()).unwrap().next().is_none(), "{outcome:?}");
    }
}
