//! What can go wrong with a cgroup, each with the file, the value and the cause.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// Why something about a cgroup could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host has no cgroup hierarchy mounted.
    #[error("no cgroup hierarchy is mounted on this host")]
    NoHierarchy,
    /// A file of the kernel could not be read.
    #[error("cannot read {path}: {}", cause(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the kernel says something unexpected.
    #[error("{path} reads {text:?}, which is not {expected}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What stood there (its beginning).
        text: String,
        /// What should have stood there.
        expected: &'static str,
    },
    /// A limit or a command could not be written.
    #[error("cannot write {value:?} to {path}: {}", cause(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A cgroup directory could not be made.
    #[error("cannot create the cgroup {path}: {}", cause(source))]
    Make {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A cgroup directory could not be removed.
    #[error("cannot remove the cgroup {path}: {}", cause(source))]
    Remove {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A limit needs a controller that this host does not have.
    #[error("{limit} cannot be set: this host has no {controller} cgroup controller{}", with(file))]
    Absent {
        /// The limit as users know it, such as `a memory limit`.
        limit: &'static str,
        /// The controller.
        controller: &'static str,
        /// The file that is missing, where the controller is there but lacks it.
        file: Option<String>,
    },
    /// A limit that this host's version of cgroups does not have.
    #[error("{limit} cannot be set with cgroup {version}")]
    Version {
        /// The limit as users know it.
        limit: &'static str,
        /// `v1` or `v2`: the host's.
        version: &'static str,
    },
    /// A value that no kernel takes.
    #[error("{limit} cannot be {value}: {reason}")]
    Value {
        /// The limit as users know it.
        limit: &'static str,
        /// The value asked for.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The path of the cgroup is not one.
    #[error("the cgroup path {path:?} is not valid: {reason}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The eBPF device program was refused.
    #[error("cannot install the device rules of {path}: {step}: {}", cause(source))]
    DeviceProgram {
        /// The cgroup.
        path: PathBuf,
        /// Which step.
        step: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A cgroup did not freeze or thaw in time.
    #[error("the cgroup {path} did not become {wanted} within {milliseconds} ms")]
    Freeze {
        /// The cgroup.
        path: PathBuf,
        /// `frozen` or `thawed`.
        wanted: &'static str,
        /// How long was waited.
        milliseconds: u64,
    },
    /// A signal could not be sent.
    #[error("cannot send signal {signal} to process {pid}: {}", cause(source))]
    Signal {
        /// The signal.
        signal: i32,
        /// The process.
        pid: i32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The OOM notification could not be set up.
    #[error("cannot watch {path} for out-of-memory kills: {}", cause(source))]
    Watch {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// systemd refused or could not be reached.
    #[error("systemd cannot {step} {unit}: {reason}")]
    Systemd {
        /// What was asked.
        step: &'static str,
        /// The unit.
        unit: String,
        /// What it said.
        reason: String,
    },
}

impl Error {
    /// A file or directory was not there, or went while it was used.
    pub(crate) fn is_not_found(&self) -> bool {
        let (Self::Read { source, .. } | Self::Write { source, .. } | Self::Make { source, .. }) = self else {
            return false;
        };
        // A file of a cgroup that was removed while it was open answers ENODEV.
        source.kind() == io::ErrorKind::NotFound || source.raw_os_error() == Some(Errno::NODEV.raw_os_error())
    }
}

/// The operating system's words without Rust's `(os error N)`.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

fn with(file: &Option<String>) -> String {
    file.as_ref().map(|file| format!(" with {file}")).unwrap_or_default()
}
