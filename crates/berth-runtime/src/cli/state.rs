//! What is remembered of a container between commands: a directory below `--root` with its state, a copy of its
//! configuration, its compiled seccomp filter, and the socket it waits at until it is started.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use berth_cgroup::{Cgroup, Freezer};
use berth_seccomp::Filter;
use berth_sys::HostPid;
use oci_spec::runtime::Spec;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use super::CommandError;

/// What is on disk: `state.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The layout's version.
    pub(crate) version: u32,
    /// The container's id.
    pub(crate) id: String,
    /// The init's pid.
    pub(crate) pid: i32,
    /// When it was born, in the kernel's ticks since boot: a pid alone is used again.
    pub(crate) born: u64,
    /// The bundle, absolute.
    pub(crate) bundle: PathBuf,
    /// The root file system, absolute.
    pub(crate) rootfs: PathBuf,
    /// When it was created, RFC 3339.
    pub(crate) created: String,
    /// The specification's version.
    pub(crate) oci_version: String,
    /// Its cgroup.
    pub(crate) cgroup: Option<Cgroup>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Running,
    Paused,
    Stopped,
}

impl Status {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// A container's directory.
#[derive(Debug)]
pub(crate) struct Container {
    directory: PathBuf,
    pub(crate) record: Record,
}

/// Whether an id is one: it names a directory and a cgroup.
pub(crate) fn check_id(id: &str) -> Result<(), CommandError> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+-.".contains(letter);
    if id.is_empty() || id == "." || id == ".." || id.len() > 255 || !id.chars().all(allowed) {
        return Err(CommandError::usage(format!("{id:?} cannot be a container's id")));
    }
    Ok(())
}

/// Makes the directory of a container that is about to be created.
pub(crate) fn claim(root: &Path, id: &str) -> Result<PathBuf, CommandError> {
    check_id(id)?;
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(root).map_err(CommandError::file("cannot create", root))?;
    let directory = root.join(id);
    match fs::DirBuilder::new().mode(0o711).create(&directory) {
        Ok(()) => Ok(directory),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(CommandError::usage(format!("container with id {id:?} already exists")))
        }
        Err(error) => Err(CommandError::file("cannot create", directory)(error)),
    }
}

impl Container {
    /// Writes the state of one that has just been born.
    pub(crate) fn record(directory: PathBuf, record: Record) -> Result<Self, CommandError> {
        let container = Self { directory, record };
        container.write("state.json", &serde_json::to_vec(&container.record).unwrap_or_default())?;
        Ok(container)
    }

    /// Finds one by its id.
    pub(crate) fn load(root: &Path, id: &str) -> Result<Self, CommandError> {
        check_id(id)?;
        let directory = root.join(id);
        let path = directory.join("state.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(CommandError::Missing(id.to_owned())),
            Err(error) => return Err(CommandError::file("cannot read", path)(error)),
        };
        let record = serde_json::from_slice(&text)
            .map_err(|error| CommandError::usage(format!("{} is damaged: {error}", path.display())))?;
        Ok(Self { directory, record })
    }

    /// Writes a file of the container's under its name, whole or not at all.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CommandError> {
        write_whole(&self.directory, name, bytes)
    }

    /// The configuration it was created with.
    pub(crate) fn spec(&self) -> Result<Spec, CommandError> {
        read_spec(&self.directory.join("config.json"))
    }

    /// The filter it was created with.
    pub(crate) fn filter(&self) -> Result<Option<Filter>, CommandError> {
        let path = self.directory.join("seccomp.bpf");
        match fs::read(&path) {
            Ok(bytes) => Filter::from_bytes(&bytes).map(Some).map_err(|error| CommandError::usage(error.to_string())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CommandError::file("cannot read", path)(error)),
        }
    }

    /// Takes the start away from everybody else: where to connect, once.
    pub(crate) fn take_start(&self) -> Option<PathBuf> {
        let taken = self.directory.join("started.sock");
        fs::rename(self.directory.join("start.sock"), &taken).ok().map(|()| taken)
    }

    /// What it is doing now.
    pub(crate) fn status(&self) -> Status {
        if self.init().is_none() {
            return Status::Stopped;
        }
        let frozen = |cgroup: &Cgroup| matches!(cgroup.freezer(), Ok(Freezer::Frozen));
        if self.directory.join("start.sock").exists() {
            Status::Created
        } else if self.record.cgroup.as_ref().is_some_and(frozen) {
            Status::Paused
        } else {
            Status::Running
        }
    }

    /// The init's pidfd, while it lives.
    pub(crate) fn init(&self) -> Option<OwnedFd> {
        let pidfd = pidfd_open(Pid::from_raw(self.record.pid)?, PidfdFlags::empty()).ok()?;
        // The descriptor holds the pid, so that what is read now is of the process it names.
        let (state, born) = process_stat(self.record.pid)?;
        (born == self.record.born && !matches!(state, 'Z' | 'X')).then_some(pidfd)
    }

    /// Sends the init a signal.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), CommandError> {
        let gone = || CommandError::usage("container not running");
        let init = self.init().ok_or_else(gone)?;
        berth_sys::signal::send(init.as_fd(), signal).map_err(|errno| match errno {
            rustix::io::Errno::SRCH => gone(),
            errno => CommandError::usage(format!("cannot send signal {signal}: {}", crate::error::cause(errno))),
        })
    }

    /// Forgets it.
    pub(crate) fn forget(&self) -> Result<(), CommandError> {
        fs::remove_dir_all(&self.directory).map_err(CommandError::file("cannot remove", &self.directory))
    }

    pub(crate) fn pid(&self) -> HostPid {
        HostPid(self.record.pid)
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), CommandError> {
    let path = directory.join(name);
    let temporary = directory.join(format!(".{name}"));
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(CommandError::file("cannot write", path))
}

/// Reads a configuration.
pub(crate) fn read_spec(path: &Path) -> Result<Spec, CommandError> {
    let text = fs::read(path).map_err(CommandError::file("cannot read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| CommandError::usage(format!("{} is not a valid configuration: {error}", path.display())))
}

/// State letter and birth of a process, from `/proc/<pid>/stat`.
pub(crate) fn process_stat(pid: i32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything: fields are counted after the last one.
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    let state = fields.next()?.chars().next()?;
    let born = fields.nth(18)?.parse().ok()?;
    Some((state, born))
}

/// Every container below `root`.
pub(crate) fn all(root: &Path) -> Vec<Container> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<Container> =
        entries.filter_map(|entry| Container::load(root, entry.file_name().to_str()?).ok()).collect();
    found.sort_by(|a, b| a.record.id.cmp(&b.record.id));
    found
}
