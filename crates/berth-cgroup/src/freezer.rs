//! Stopping every process of a cgroup, and letting them go on.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cgroup::{Cgroup, Freezer};
use crate::{Error, file};

/// How long a cgroup is given to stand still: a process in an uninterruptible call cannot.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn freeze(cgroup: &Cgroup) -> Result<(), Error> {
    freeze_within(cgroup, PATIENCE)
}

/// A cgroup that does not stand still in time is thawed again.
pub(crate) fn freeze_within(cgroup: &Cgroup, patience: Duration) -> Result<(), Error> {
    let directory = directory(cgroup)?;
    let frozen = if cgroup.is_unified() { freeze_v2(directory, patience)? } else { freeze_v1(directory, patience)? };
    if frozen {
        return Ok(());
    }
    thaw(cgroup)?;
    let milliseconds = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    Err(Error::Freeze { path: directory.to_owned(), wanted: "frozen", milliseconds })
}

/// A process that forks while its cgroup is being frozen may leave a child running, which the kernel notices only when
/// the state is written again. A freezing that goes on may need a thaw in between: a task can wait for one that is
/// frozen already.
fn freeze_v1(directory: &Path, patience: Duration) -> Result<bool, Error> {
    let path = directory.join("freezer.state");
    let start = Instant::now();
    let mut wait = Duration::from_micros(20);
    for round in 1_u32.. {
        file::write(&path, "FROZEN")?;
        if file::read(&path)?.trim() == "FROZEN" {
            return Ok(true);
        }
        if start.elapsed() > patience {
            return Ok(false);
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(Duration::from_millis(10));
        if round.is_multiple_of(50) {
            file::write(&path, "THAWED")?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(false)
}

fn freeze_v2(directory: &Path, patience: Duration) -> Result<bool, Error> {
    let events = directory.join("cgroup.events");
    let watched = File::open(&events).map_err(|source| Error::Read { path: events.clone(), source })?;
    file::write(&directory.join("cgroup.freeze"), "1")?;
    let start = Instant::now();
    loop {
        if file::pair(&file::read(&events)?, "frozen") == Some(1) {
            return Ok(true);
        }
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        // The file announces its changes as exceptional; a change between reading and waiting costs 20 ms at most.
        let timeout = Timespec::try_from(left.min(Duration::from_millis(20))).ok();
        let _ = poll(&mut [PollFd::from_borrowed_fd(watched.as_fd(), PollFlags::PRI)], timeout.as_ref());
    }
}

pub(crate) fn thaw(cgroup: &Cgroup) -> Result<(), Error> {
    let directory = directory(cgroup)?;
    if cgroup.is_unified() {
        file::write(&directory.join("cgroup.freeze"), "0")
    } else {
        file::write(&directory.join("freezer.state"), "THAWED")
    }
}

pub(crate) fn state(cgroup: &Cgroup) -> Result<Freezer, Error> {
    let directory = directory(cgroup)?;
    if cgroup.is_unified() {
        let asked = file::read(&directory.join("cgroup.freeze"))?;
        let frozen = file::pair(&file::read(&directory.join("cgroup.events"))?, "frozen") == Some(1);
        return Ok(match (asked.trim(), frozen) {
            (_, true) => Freezer::Frozen,
            ("1", false) => Freezer::Freezing,
            _ => Freezer::Thawed,
        });
    }
    let path = directory.join("freezer.state");
    let text = file::read(&path)?;
    match text.trim() {
        "THAWED" => Ok(Freezer::Thawed),
        "FREEZING" => Ok(Freezer::Freezing),
        "FROZEN" => Ok(Freezer::Frozen),
        _ => Err(Error::Parse { path, text, expected: "a freezer state" }),
    }
}

fn directory(cgroup: &Cgroup) -> Result<&Path, Error> {
    cgroup.directory("freezer").ok_or(Error::Absent { limit: "pausing", controller: "freezer", file: None })
}
