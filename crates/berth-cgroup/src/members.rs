//! The processes of a cgroup: who they are, and signals to all of them.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::cgroup::{Cgroup, Freezer};
use crate::{Error, file, freezer};

/// Every process, sub-groups included.
pub(crate) fn pids(cgroup: &Cgroup) -> Result<Vec<i32>, Error> {
    let mut found = Vec::new();
    if let Some((_, directory)) = cgroup.directories().next() {
        collect(directory, &mut found)?;
    }
    Ok(found)
}

fn collect(directory: &Path, found: &mut Vec<i32>) -> Result<(), Error> {
    match file::read_if_there(&directory.join("cgroup.procs")) {
        Ok(text) => {
            let all = text.iter().flat_map(|text| text.lines()).filter_map(|pid| pid.parse::<i32>().ok());
            // 0 is a process that this one cannot see.
            found.extend(all.filter(|pid| *pid != 0));
        }
        // A threaded sub-group does not tell; its processes are those of the group above.
        Err(Error::Read { source, .. }) if source.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), found)?;
        }
    }
    Ok(())
}

/// To every process. Frozen meanwhile, so that none is born unseen.
pub(crate) fn signal(cgroup: &Cgroup, signal: Signal) -> Result<(), Error> {
    if signal == Signal::KILL && killed_by_kernel(cgroup)? {
        return Ok(());
    }
    let before = freezer::state(cgroup).unwrap_or(Freezer::Thawed);
    if pids(cgroup)?.is_empty() {
        return if signal == Signal::KILL && before != Freezer::Thawed { freezer::thaw(cgroup) } else { Ok(()) };
    }
    // Where it will not stand still, those that can be seen get the signal all the same.
    let stands = before == Freezer::Frozen || freezer::freeze_within(cgroup, Duration::from_millis(200)).is_ok();
    let sent = pids(cgroup).and_then(|pids| pids.into_iter().try_for_each(|pid| send(pid, signal)));
    if signal == Signal::KILL || (stands && before == Freezer::Thawed) {
        // Without a freezer there is nothing to thaw.
        match freezer::thaw(cgroup) {
            Err(Error::Absent { .. }) => {}
            result => result?,
        }
    }
    sent
}

/// v2 kills a whole cgroup, frozen or forking, at one word (Linux 5.14).
fn killed_by_kernel(cgroup: &Cgroup) -> Result<bool, Error> {
    let Some((_, directory)) = cgroup.directories().next().filter(|_| cgroup.is_unified()) else { return Ok(false) };
    let path = directory.join("cgroup.kill");
    match file::write_raw(&path, "1") {
        Ok(()) => {
            // The dead leave a frozen cgroup, but the next one in would be frozen too.
            match file::write_raw(&directory.join("cgroup.freeze"), "0") {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::Write { path: directory.join("cgroup.freeze"), value: "0".to_owned(), source: error })
                }
                _ => Ok(true),
            }
        }
        // An older kernel, or no cgroup any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(!directory.is_dir()),
        Err(source) => Err(Error::Write { path, value: "1".to_owned(), source }),
    }
}

fn send(pid: i32, signal: Signal) -> Result<(), Error> {
    let Some(target) = Pid::from_raw(pid) else { return Ok(()) };
    match kill_process(target, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(Error::Signal { signal: signal.as_raw(), pid, source: errno.into() }),
    }
}
