//! Room that is kept for the day on which the disk is full: whoever makes room then, by deleting something, has to
//! write down that it is deleted.
//!
//! ```text
//! <database>-wal       has this much room before it needs more
//! <database>-reserve   is given back to the file system when the database is opened, or found to have no room
//! ```
//!
//! Both are allocated and never written. A file system that cannot do that has no reserve, and nothing else is wrong.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

/// Some hundred deletions.
const LOG: u64 = 1 << 20;
/// The log anew, and what SQLite has beside it.
const RESERVE: u64 = 2 << 20;
/// Enough for a deletion or two.
const LEAST: u64 = 128 << 10;

/// The reserve of one database.
#[derive(Debug)]
pub(crate) struct Reserve {
    log: PathBuf,
    path: PathBuf,
}

impl Reserve {
    /// That of the database at `path`, given back for the moment: opening may need it.
    pub(crate) fn release_for(database: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name = database.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let reserve = Self { log: beside("-wal"), path: beside("-reserve") };
        reserve.release();
        reserve
    }

    /// There is no room: this makes some.
    pub(crate) fn release(&self) {
        // There may be none.
        let _ = fs::remove_file(&self.path);
    }

    /// Takes what there is to be had. Cheap where it is there already.
    pub(crate) fn keep(&self) {
        if self.log.exists() {
            // Other than the database and its index, SQLite does not lock the log: closing it here unlocks nothing.
            let _ = File::options().append(true).open(&self.log).map(|log| allocate(&log, LOG));
        }
        if self.path.exists() {
            return;
        }
        let Ok(file) = File::create_new(&self.path) else { return };
        // On a disk that is nearly full, as much as there is: little is better than nothing.
        let taken = [RESERVE, RESERVE / 2, RESERVE / 4, LEAST].into_iter().any(|bytes| allocate(&file, bytes));
        if !taken {
            self.release();
        }
    }
}

/// The file's length stays what it is.
fn allocate(file: &File, bytes: u64) -> bool {
    fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn it_is_there_until_it_is_needed() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("state.db");
        let (log, file) = (directory.path().join("state.db-wal"), directory.path().join("state.db-reserve"));
        let reserve = Reserve::release_for(&database);
        reserve.keep();
        assert!(!log.exists());
        fs::write(&log, b"log").unwrap();
        reserve.keep();
        let room = |path: &Path| fs::metadata(path).unwrap().blocks() * 512;
        assert_eq!(fs::read(&log).unwrap(), b"log");
        assert!(room(&log) >= LOG && room(&file) >= RESERVE, "{} {}", room(&log), room(&file));
        reserve.release();
        assert!(!file.exists());
        reserve.keep();
        drop(Reserve::release_for(&database));
        assert!(!file.exists());
    }
}
