//! A file system of the benchmark's own: what was done to a disk before changes what it costs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Sparse, so that only what is written takes room.
const SIZE: u64 = 60 << 30;

/// A fresh ext4 in a file, mounted; dropped, both are gone.
pub(crate) struct Disk {
    file: PathBuf,
    root: PathBuf,
}

impl Disk {
    pub(crate) fn fresh(directory: &Path) -> Result<Self> {
        let (file, root) = (directory.join("disk.img"), directory.join("disk"));
        fs::create_dir_all(&root)?;
        fs::File::create(&file)?.set_len(SIZE).with_context(|| file.display().to_string())?;
        let (name, at) = (file.display().to_string(), root.display().to_string());
        let disk = Self { file, root };
        // Inode tables are written now and not by the kernel behind our back.
        crate::run("mkfs.ext4", &["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", &name])?;
        crate::run("mount", &["-o", "loop", &name, &at])?;
        Ok(disk)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(crate::run("umount", &["--lazy", &self.root.display().to_string()]));
        drop(fs::remove_file(&self.file));
        drop(fs::remove_dir(&self.root));
    }
}
