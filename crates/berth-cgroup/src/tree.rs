//! Making and removing the directories.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::cgroup::Cgroup;
use crate::{Error, Hierarchy, file};

/// Makes every directory, and on failure removes those made.
pub(crate) fn make(cgroup: &Cgroup, hierarchy: &Hierarchy) -> Result<(), Error> {
    let mut made: Vec<&Path> = Vec::new();
    for ((controllers, path), mount) in cgroup.directories().zip(hierarchy.used()) {
        // What systemd made, it made with the placeholder in it.
        if cgroup.is_made_by_systemd() && path.is_dir() {
            if cgroup.is_unified() {
                delegate(path, &mount.mountpoint, hierarchy.controllers());
            }
            continue;
        }
        let result = persist(|| match cgroup.is_unified() {
            true => make_v2(path, &mount.mountpoint, hierarchy),
            false => make_v1(path, controllers),
        });
        match result {
            Ok(true) => made.push(path),
            Ok(false) => {}
            Err(error) => {
                for path in made {
                    let _ = fs::remove_dir(path);
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Whoever else makes cgroups below the same parent may remove it, empty as it is, while we make its child. Then
/// something that was there a moment ago is not found, and once more is the answer.
fn persist(mut make: impl FnMut() -> Result<bool, Error>) -> Result<bool, Error> {
    const ATTEMPTS: u32 = 100;
    let mut result = make();
    for _ in 1..ATTEMPTS {
        if !result.as_ref().is_err_and(Error::is_not_found) {
            break;
        }
        result = make();
    }
    result
}

/// Whether the directory is new. One that is there already is taken if nobody is in it.
fn make_directory(path: &Path) -> Result<bool, Error> {
    let failed = |source| Error::Make { path: path.to_owned(), source };
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if file::read(&path.join("cgroup.procs"))?.is_empty() {
                Ok(false)
            } else {
                Err(failed(io::Error::other("it exists and is not empty")))
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// [`make_directory`], with those above it. Nobody can remove a parent once there is a child in it, so all of them are
/// made before any is set up.
fn make_with_parents(path: &Path) -> Result<bool, Error> {
    match make_directory(path) {
        Err(Error::Make { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|source| Error::Make { path: parent.to_owned(), source })?;
            }
            make_directory(path)
        }
        result => result,
    }
}

fn make_v1(path: &Path, controllers: &[String]) -> Result<bool, Error> {
    let made = make_with_parents(path)?;
    if controllers.iter().any(|name| name == "cpuset") {
        inherit_cpuset(path).inspect_err(|_| {
            let _ = fs::remove_dir(path);
        })?;
    }
    Ok(made)
}

/// Nothing can enter a cpuset without CPUs and memory nodes, and a new one may have none.
fn inherit_cpuset(path: &Path) -> Result<(), Error> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let own = path.join(name);
        if !file::read(&own)?.trim().is_empty() {
            continue;
        }
        let Some(parent) = path.parent() else { continue };
        let mut above = file::read(&parent.join(name))?;
        if above.trim().is_empty() {
            inherit_cpuset(parent)?;
            // From here on the kernel hands CPUs and memory nodes down by itself.
            file::write(&parent.join("cgroup.clone_children"), "1")?;
            above = file::read(&parent.join(name))?;
        }
        file::write(&own, above.trim())?;
    }
    Ok(())
}

fn make_v2(path: &Path, mountpoint: &Path, hierarchy: &Hierarchy) -> Result<bool, Error> {
    let made = make_with_parents(path)?;
    delegate(path, mountpoint, hierarchy.controllers());
    Ok(made)
}

/// Lets every controller of the host reach down to `path`. One that cannot is only missed by who sets its limits.
fn delegate(path: &Path, mountpoint: &Path, controllers: &[String]) {
    let enabled = |directory: &Path| {
        let text = file::read(&directory.join("cgroup.subtree_control")).unwrap_or_default();
        controllers.iter().all(|one| text.split_whitespace().any(|name| name == one))
    };
    // Whoever enabled them in the parent has done so above it.
    if path.parent().is_none_or(&enabled) {
        return;
    }
    let Ok(below) = path.strip_prefix(mountpoint) else { return };
    let mut directory = mountpoint.to_owned();
    for name in below.components() {
        enable(&directory, controllers);
        directory.push(name);
    }
}

fn enable(directory: &Path, controllers: &[String]) {
    let control = directory.join("cgroup.subtree_control");
    let all: Vec<String> = controllers.iter().map(|one| format!("+{one}")).collect();
    if file::write_raw(&control, &all.join(" ")).is_err() {
        // One that is not here spoils the whole line.
        for one in all {
            let _ = file::write_raw(&control, &one);
        }
    }
}

/// How long removal waits, for all of a cgroup's directories together, for processes that are just going.
const PATIENCE: Duration = Duration::from_secs(2);
/// At first; each time twice as long as before.
const FIRST_WAIT: Duration = Duration::from_micros(125);
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Removes every directory, and what is below it. All are tried; the first error is told.
pub(crate) fn remove(cgroup: &Cgroup) -> Result<(), Error> {
    let mut outcome = Ok(());
    let until = Instant::now() + PATIENCE;
    for (_, path) in cgroup.directories() {
        let removed = remove_directory(path, until);
        outcome = outcome.and(removed);
    }
    outcome
}

fn remove_directory(path: &Path, until: Instant) -> Result<(), Error> {
    let (mut wait, mut tried) = (FIRST_WAIT, false);
    loop {
        let busy = match fs::remove_dir(path) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match busy.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT) => return Ok(()),
            Some(Errno::BUSY | Errno::NOTEMPTY) if !tried || Instant::now() < until => {}
            _ => return Err(Error::Remove { path: path.to_owned(), source: busy }),
        }
        tried = true;
        // The container may have made cgroups of its own.
        if !remove_children(path, until)? {
            std::thread::sleep(wait);
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Whether there were any.
fn remove_children(path: &Path, until: Instant) -> Result<bool, Error> {
    let Ok(entries) = fs::read_dir(path) else { return Ok(false) };
    let mut any = false;
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_directory(&entry.path(), until)?;
            any = true;
        }
    }
    Ok(any)
}
