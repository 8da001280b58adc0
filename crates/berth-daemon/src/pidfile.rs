//! The pid file: tells others our pid, and us that another daemon lives with the same paths.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A pid file of ours; removed when dropped.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PidFileError {
    #[error("process with PID {pid} is still running ({})", path.display())]
    Running { pid: u32, path: PathBuf },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl PidFile {
    /// Writes our pid. A file of a process that is gone, or of another program that got its number, is replaced.
    pub(crate) fn write(path: &Path) -> Result<Self, PidFileError> {
        let failed = |source| PidFileError::Write { path: path.to_owned(), source };
        let found = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        if let Some(pid) = found.filter(|pid| *pid != std::process::id() && is_daemon(*pid)) {
            return Err(PidFileError::Running { pid, path: path.to_owned() });
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let temporary = path.with_extension(format!("pid.{}", std::process::id()));
        fs::write(&temporary, std::process::id().to_string()).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)?;
        Ok(Self(path.to_owned()))
    }
}

/// Our pid files lie in directories that survive reboots on some hosts, so a number alone says little.
fn is_daemon(pid: u32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).nth(1) == Some(b"daemon".as_slice())
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another daemon may have replaced it, which then is not ours to remove.
        let ours = fs::read_to_string(&self.0).is_ok_and(|text| text.trim() == std::process::id().to_string());
        if ours {
            let _ = fs::remove_file(&self.0);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn stale_files_are_replaced_and_ours_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x/d.pid");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Lives, but is no daemon.
        fs::write(&path, "1").unwrap();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(file);
        assert!(!path.exists());
    }
}
