//! The exit record: the file that says how a container ended, for whoever comes later.

use std::io::Write;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, fsync, open, openat, rename, unlink};
use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The exit code, or 128 and the signal.
    pub code: i32,
    /// The kernel killed a process of the container for lack of memory.
    pub oom_killed: bool,
    /// RFC 3339 in UTC, nanoseconds.
    pub at: String,
}

impl ExitRecord {
    /// Reads the record at `path`; `None`: the container has not ended (or its host went down with it).
    pub fn read(path: &Path) -> std::io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the record: it is there whole or not at all, and with `durable` also after a loss of power.
    pub(crate) fn write(&self, path: &Path, durable: bool) -> std::io::Result<()> {
        let temporary = path.with_extension("tmp");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = openat(CWD, &temporary, flags, Mode::from_raw_mode(0o600))?;
        let mut file = std::fs::File::from(file);
        file.write_all(&serde_json::to_vec(self)?)?;
        if durable {
            fsync(&file)?;
        }
        rename(&temporary, path)?;
        if let Some(directory) = path.parent().filter(|_| durable) {
            fsync(open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)?;
        }
        Ok(())
    }

    /// Removes what an earlier run left, lest it be taken for this one's.
    pub(crate) fn forget(path: &Path) {
        let _ = unlink(path);
    }
}
