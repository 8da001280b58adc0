//! Being told when the kernel kills for want of memory.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{EventfdFlags, PollFlags, eventfd};
use rustix::io::Errno;

use crate::cgroup::Cgroup;
use crate::{Error, file};

/// A descriptor that becomes ready, in the way that [`OomWatch::readiness`] says, when something about memory happened
/// (or when the cgroup is removed). Then [`OomWatch::drain`] it; whether a process was killed, [`Cgroup::oom_kills`]
/// tells. On v1 that is counted a moment later.
///
/// It takes one or two descriptors and no inotify instance, of which a user has 128.
#[derive(Debug)]
pub struct OomWatch {
    fd: OwnedFd,
    /// v1: the event counter is tied to this open file.
    control: Option<std::fs::File>,
}

impl OomWatch {
    /// What to poll for: a counter is readable, a changed file of the kernel's has exceptional data.
    pub fn readiness(&self) -> PollFlags {
        if self.control.is_some() { PollFlags::IN } else { PollFlags::PRI }
    }

    /// Consumes what made the descriptor ready; does not block.
    pub fn drain(&self) -> Result<(), Error> {
        let mut buffer = [0; 512];
        // Read from its beginning, a file is as new as what was read; a counter has no places to read from.
        let done = match &self.control {
            Some(_) => rustix::io::read(&self.fd, &mut buffer),
            None => rustix::io::pread(&self.fd, &mut buffer, 0),
        };
        match done {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(errno) => Err(watching(Path::new("the out-of-memory events"), errno)),
        }
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn watching(path: &Path, error: impl Into<std::io::Error>) -> Error {
    Error::Watch { path: path.to_owned(), source: error.into() }
}

pub(crate) fn watch(cgroup: &Cgroup) -> Result<OomWatch, Error> {
    let directory = directory(cgroup)?;
    if cgroup.is_unified() { watch_v2(&directory.join("memory.events")) } else { watch_v1(directory) }
}

fn watch_v2(events: &Path) -> Result<OomWatch, Error> {
    let file = std::fs::File::open(events).map_err(|error| watching(events, error))?;
    let watch = OomWatch { fd: file.into(), control: None };
    // What was not read yet counts as changed.
    watch.drain()?;
    Ok(watch)
}

/// Registered by writing the numbers of an event counter and of the open file (memory.rst, section 10).
fn watch_v1(directory: &Path) -> Result<OomWatch, Error> {
    let path = directory.join("memory.oom_control");
    let control = std::fs::File::open(&path).map_err(|error| watching(&path, error))?;
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|errno| watching(&path, errno))?;
    let line = format!("{} {}", fd.as_raw_fd(), control.as_raw_fd());
    OpenOptions::new()
        .write(true)
        .open(directory.join("cgroup.event_control"))
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .map_err(|error| watching(&path, error))?;
    Ok(OomWatch { fd, control: Some(control) })
}

/// Kernels before 4.13 do not count; there it is always 0.
pub(crate) fn kills(cgroup: &Cgroup) -> Result<u64, Error> {
    let directory = directory(cgroup)?;
    let name = if cgroup.is_unified() { "memory.events" } else { "memory.oom_control" };
    Ok(file::pair(&file::read(&directory.join(name))?, "oom_kill").unwrap_or(0))
}

fn directory(cgroup: &Cgroup) -> Result<&Path, Error> {
    let absent = || Error::Absent { limit: "watching memory", controller: "memory", file: None };
    cgroup.directory("memory").ok_or_else(absent)
}
