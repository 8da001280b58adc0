//! Making a process's stdio: pipes, the null device, or what follows from a pty.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use berth_runtime::Stdio;
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::protocol::StdioPlan;
use crate::relay::Ends;

/// Stdio for a process that is about to be born.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The process's ends; `None` with a pty.
    theirs: Option<[OwnedFd; 3]>,
    ours: Ends,
    plan: StdioPlan,
}

/// A process's pty after its birth.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: OwnedFd,
    /// While a slave is open the master never hangs up: a process may close its terminal and open it again.
    _slave: Option<OwnedFd>,
}

impl Prepared {
    /// Makes the ends. Without `heard`, output goes to the null device.
    pub(crate) fn new(plan: StdioPlan, heard: bool) -> Result<Self, Errno> {
        if plan.tty {
            return Ok(Self { theirs: None, ours: Ends { terminal: true, ..Ends::default() }, plan });
        }
        let mut ours = Ends::default();
        let stdin = if plan.open_stdin {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            ours.stdin = Some(non_blocking(writer)?);
            reader
        } else {
            null()?
        };
        let output = |end: &mut Option<OwnedFd>| {
            if !heard {
                return null();
            }
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            *end = Some(non_blocking(reader)?);
            Ok(writer)
        };
        let stdout = output(&mut ours.stdout)?;
        let stderr = output(&mut ours.stderr)?;
        Ok(Self { theirs: Some([stdin, stdout, stderr]), ours, plan })
    }

    /// What the runtime is to give the process.
    pub(crate) fn for_process(&self) -> Stdio<'_> {
        match &self.theirs {
            Some(ends) => Stdio::Fds(ends.each_ref().map(AsFd::as_fd)),
            None => Stdio::Terminal { rows: self.plan.rows, columns: self.plan.columns },
        }
    }

    /// The same for a runtime that is executed: it hands on what it is given. `None` with a pty.
    pub(crate) fn ends(&self) -> Option<[BorrowedFd<'_>; 3]> {
        self.theirs.as_ref().map(|ends| ends.each_ref().map(AsFd::as_fd))
    }

    /// Our ends once the process is born; its own are closed here.
    pub(crate) fn into_ours(self, master: Option<OwnedFd>) -> Result<(Ends, Option<Terminal>), Errno> {
        let mut ours = self.ours;
        let Some(master) = master else { return Ok((ours, None)) };
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).ok();
        let master = non_blocking(master)?;
        ours.stdout = Some(duplicate(master.as_fd())?);
        if self.plan.open_stdin {
            ours.stdin = Some(duplicate(master.as_fd())?);
        }
        Ok((ours, Some(Terminal { master, _slave: slave })))
    }
}

impl Terminal {
    /// Sets the size; the kernel tells the foreground processes.
    pub(crate) fn resize(&self, rows: u16, columns: u16) -> Result<(), Errno> {
        tcsetwinsize(&self.master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
    }
}

fn non_blocking(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    // The only status flag that pipes and ptys made here have.
    fcntl_setfl(&fd, OFlags::NONBLOCK)?;
    Ok(fd)
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    fcntl_dupfd_cloexec(fd, 3)
}

fn null() -> Result<OwnedFd, Errno> {
    open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
