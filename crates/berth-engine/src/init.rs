//! The small init of `--init`: a copy of our own program.
//!
//! A copy, because the program that runs the host's side must never be executed in a container, not even by a
//! container that asks for it: the runtime refuses that by the file's identity. A copy that a container managed to spoil would
//! spoil other containers' init at worst.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const OURSELVES: &str = "/proc/self/exe";

/// Where the copy of this version lies.
pub(crate) fn path(data_root: &Path) -> Result<PathBuf> {
    let ours = fs::metadata(OURSELVES).map_err(Error::file("looking at", OURSELVES))?;
    let name = format!("docker-init-{}-{}-{}", ours.size(), ours.mtime(), ours.mtime_nsec());
    Ok(data_root.join("init").join(name))
}

/// The copy, made where it is missing or of another version. Blocks for the copying of some 20 MB the first time.
pub(crate) fn program(data_root: &Path) -> Result<PathBuf> {
    let (directory, path) = (data_root.join("init"), path(data_root)?);
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(&directory).map_err(Error::file("making", &directory))?;
    let fresh = directory.join(format!("new-{}", std::process::id()));
    fs::copy(OURSELVES, &fresh).map_err(Error::file("writing", &fresh))?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o555)).map_err(Error::file("writing", &fresh))?;
    fs::rename(&fresh, &path).map_err(Error::file("writing", &path))?;
    remove_others(&directory, &path);
    Ok(path)
}

/// Copies of earlier versions. Containers that run with one keep it open.
fn remove_others(directory: &Path, keep: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path() != keep {
            drop(fs::remove_file(entry.path()));
        }
    }
}
