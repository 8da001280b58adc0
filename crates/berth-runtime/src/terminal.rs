//! The container's pseudo-terminal, made in its own devpts, and standard input, output and error.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, fstat, fstatfs, major, minor, openat};
use rustix::io::Errno;
use rustix::process::ioctl_tiocsctty;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::error::{At, LaunchError, Step};
use crate::mounts::{attach, place};

/// `DEVPTS_SUPER_MAGIC`
const DEVPTS: i64 = 0x1cd1;

/// Both ends of a new pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) master: OwnedFd,
    slave: OwnedFd,
}

impl Terminal {
    /// Opens one in `devpts`, or where that is not known in whatever is mounted at `/dev/pts` of `root`.
    pub(crate) fn open(
        root: BorrowedFd<'_>,
        devpts: Option<BorrowedFd<'_>>,
        size: (u16, u16),
        uid: u32,
    ) -> Result<Self, LaunchError> {
        let failed = |errno| LaunchError::new(Step::Terminal, "", errno);
        let found;
        let devpts = match devpts {
            Some(devpts) => devpts,
            None => {
                found = place::find(root, Path::new("/dev/pts")).map_err(failed)?;
                found.as_fd()
            }
        };
        if fstatfs(devpts).map_err(failed)?.f_type != DEVPTS {
            return Err(LaunchError::other("a terminal needs a devpts mounted at /dev/pts in the container"));
        }
        let master =
            openat(devpts, "ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        unlockpt(&master).map_err(failed)?;
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
            .map_err(failed)?;
        if uid != 0 {
            fchown(&slave, Some(Uid::from_raw(uid)), None).map_err(failed)?;
        }
        if size != (0, 0) {
            let (ws_row, ws_col) = size;
            tcsetwinsize(&slave, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).map_err(failed)?;
        }
        Ok(Self { master, slave })
    }

    /// Shows it as `/dev/console`.
    pub(crate) fn become_console(&self, root: BorrowedFd<'_>) -> Result<(), LaunchError> {
        let failed = |errno| LaunchError::new(Step::Terminal, "at /dev/console", errno);
        let place = place::file(root, Path::new("/dev/console")).map_err(failed)?;
        let copy = attach::copy_of(self.slave.as_fd(), false).map_err(failed)?;
        attach::put(copy.as_fd(), place.as_fd()).map_err(failed)
    }

    /// Makes it the controlling terminal and standard input, output and error.
    pub(crate) fn take(self) -> Result<(), LaunchError> {
        ioctl_tiocsctty(&self.slave).at(Step::Terminal, || "as the controlling one")?;
        place_streams([self.slave.as_fd(); 3])
    }
}

/// Gives these the numbers 0, 1 and 2.
pub(crate) fn place_streams(streams: [BorrowedFd<'_>; 3]) -> Result<(), LaunchError> {
    use std::os::fd::AsRawFd;
    if streams.map(|stream| stream.as_raw_fd()) == [0, 1, 2] {
        return Ok(());
    }
    let failed = |errno| LaunchError::new(Step::Stdio, "", errno);
    // Copies above 2 first, so that placing one cannot overwrite another that is yet to be placed.
    let [input, output, errors] = streams.map(|stream| rustix::io::fcntl_dupfd_cloexec(stream, 3));
    dup2_stdin(input.map_err(failed)?).map_err(failed)?;
    dup2_stdout(output.map_err(failed)?).map_err(failed)?;
    dup2_stderr(errors.map_err(failed)?).map_err(failed)
}

/// Lets the user open `/dev/stdout` and its like again: pipes belong to who made them.
pub(crate) fn give_streams(uid: u32) -> Result<(), LaunchError> {
    use rustix::stdio::{stderr, stdin, stdout};
    for stream in [stdin(), stdout(), stderr()] {
        let stat = fstat(stream).at(Step::Stdio, || "")?;
        let null = (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3);
        if stat.st_uid == uid || null {
            continue;
        }
        match fchown(stream, Some(Uid::from_raw(uid)), None::<Gid>) {
            // A read-only file system, a foreign owner, a socket: then the user cannot open it again, as before.
            Ok(()) | Err(Errno::PERM | Errno::ROFS | Errno::INVAL) => {}
            Err(errno) => return Err(LaunchError::new(Step::Stdio, "", errno)),
        }
    }
    Ok(())
}
