//! Unix sockets at paths of any length: `sun_path` holds 107 bytes, run roots and ids make longer ones.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect as connect_to, listen as listen_on,
    socket_with,
};

const LONGEST: usize = 107;

/// A path short enough, and the directory descriptor it goes through if it had to be shortened.
fn reachable(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if path.as_os_str().len() <= LONGEST {
        return Ok((path.to_path_buf(), None));
    }
    let name = path.file_name().unwrap_or(OsStr::new(""));
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = openat(CWD, parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok((short, Some(directory)))
}

fn stream_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Connects; the socket is non-blocking (a unix connect is immediate or fails with `EAGAIN` on a full backlog).
pub(crate) fn connect(path: &Path) -> io::Result<OwnedFd> {
    let (short, _directory) = reachable(path)?;
    let socket = stream_socket()?;
    connect_to(&socket, &SocketAddrUnix::new(&short)?)?;
    Ok(socket)
}

/// Listens; replaces what a dead predecessor left at the path.
pub(crate) fn listen(path: &Path) -> io::Result<OwnedFd> {
    let (short, _directory) = reachable(path)?;
    let socket = stream_socket()?;
    let address = SocketAddrUnix::new(&short)?;
    if bind(&socket, &address) == Err(rustix::io::Errno::ADDRINUSE) {
        rustix::fs::unlink(&short)?;
        bind(&socket, &address)?;
    }
    listen_on(&socket, 64)?;
    Ok(socket)
}
