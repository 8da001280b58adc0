//! What a path means to `docker cp`: links in its directories are followed within the container, its last part is not,
//! unless a slash or `/.` behind it says that a directory is meant.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use berth_archive::Output;
use berth_archive::Writer;
use berth_archive::pack::{Packing, Take, pack};
use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Stat, readlinkat, statat};
use rustix::io::Errno;

use super::root::Root;
use super::{LOOK, kind};
use crate::plan::mounts::clean;
use crate::{Error, Result};

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    /// Its last part.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Type and permissions, as `stat(2)` has them.
    pub mode: u32,
    /// When it was last written.
    pub modified: Timestamp,
    /// Where a link leads, as an absolute path in the container; empty: it is no link.
    pub link_target: String,
}

/// A path as asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// As the user wrote it.
    raw: String,
    /// The directory: all up to the last slash of the cleaned path.
    directory: String,
    /// What in it; empty or `.`: the directory itself.
    base: String,
    /// What it is called in an archive.
    name: String,
}

impl Asked {
    pub(super) fn parse(raw: &str) -> Self {
        let mut path = clean(raw);
        let here = raw == "." || raw.ends_with("/.");
        if here {
            path.push_str(if path == "/" { "." } else { "/." });
        } else if raw.ends_with('/') && path != "/" {
            path.push('/');
        }
        let (directory, base) = path.rsplit_once('/').unwrap_or(("", &path));
        let name = match path.trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed.rsplit('/').next().unwrap_or(trimmed),
        };
        Self { raw: raw.to_owned(), directory: format!("{directory}/"), base: base.to_owned(), name: name.to_owned() }
    }

    pub(super) fn find(self, root: &Root, key: &str) -> Result<Found> {
        let missing = || Error::NoSuchFile { path: self.raw.clone(), container: key.to_owned() };
        let failed = |e: Errno| Error::File { doing: "looking at", path: self.raw.clone().into(), source: e.into() };
        let or_missing = |e: Errno| if e == Errno::NOENT { missing() } else { failed(e) };
        let directory = root.resolve(&self.directory, LOOK).map_err(or_missing)?;
        let itself = matches!(self.base.as_str(), "" | ".");
        let flags = if itself { AtFlags::EMPTY_PATH } else { AtFlags::SYMLINK_NOFOLLOW };
        let stat = statat(&directory, if itself { "" } else { &self.base }, flags).map_err(or_missing)?;
        if itself && FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(failed(Errno::NOTDIR));
        }
        Ok(Found { asked: self, directory, itself, stat })
    }
}

/// What was found there.
pub(super) struct Found {
    asked: Asked,
    directory: OwnedFd,
    itself: bool,
    stat: Stat,
}

impl Found {
    pub(super) fn stat(&self, root: &Root) -> Result<PathStat> {
        let nanoseconds = i32::try_from(self.stat.st_mtime_nsec).unwrap_or(0);
        let link = FileType::from_raw_mode(self.stat.st_mode) == FileType::Symlink;
        Ok(PathStat {
            name: self.asked.name.clone(),
            size: u64::try_from(self.stat.st_size).unwrap_or(0),
            mode: self.stat.st_mode,
            modified: Timestamp::new(self.stat.st_mtime, nanoseconds).unwrap_or_default(),
            link_target: if link { self.target(root) } else { String::new() },
        })
    }

    /// Where a link leads; one that leads nowhere, where it would.
    fn target(&self, root: &Root) -> String {
        let path = format!("{}{}", self.asked.directory, self.asked.base);
        if let Ok(file) = root.resolve(&path, LOOK)
            && let Ok(path) = root.below(&file)
        {
            return format!("/{}", String::from_utf8_lossy(&path));
        }
        let Ok(link) = readlinkat(&self.directory, &*self.asked.base, Vec::new()) else { return String::new() };
        let link = link.to_string_lossy();
        if link.starts_with('/') {
            return clean(&link);
        }
        let directory = root.below(&self.directory).unwrap_or_default();
        clean(&format!("/{}/{link}", String::from_utf8_lossy(&directory)))
    }

    /// Archives it. Of what is mounted below it, only what the user asked to be mounted.
    pub(super) fn pack(&self, root: &Root, writer: &mut Writer<&mut dyn Output>) -> io::Result<()> {
        let wanted = root.mounts();
        let mut choose = |found: &berth_archive::pack::Found<'_>| match found.mount {
            Some(mount) if found.directory && !wanted.contains(&mount) => Take::Bare,
            _ => Take::Whole,
        };
        let packing = Packing { name: self.asked.name.as_bytes(), overlay: false, choose: &mut choose };
        let base = if self.itself { "" } else { &self.asked.base };
        pack(self.directory.as_fd(), base.as_bytes(), packing, writer)
    }
}

/// The directory that files are put into; links on the way to it, and it itself, are followed.
pub(super) fn directory(root: &Root, path: &str, key: &str) -> Result<OwnedFd> {
    let found = root.resolve(&clean(path), LOOK).map_err(|errno| match errno {
        Errno::NOENT => Error::NoSuchFile { path: path.to_owned(), container: key.to_owned() },
        errno => Error::File { doing: "looking at", path: path.into(), source: errno.into() },
    })?;
    match kind(&found) {
        Ok(FileType::Directory) => Ok(found),
        _ => Err(Error::Refused("extraction point is not a directory".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn paths_mean_what_they_mean_to_docker() {
        for (raw, directory, base, name) in [
            ("tmp/f", "/tmp/", "f", "f"),
            ("/tmp/f/", "/tmp/f/", "", "f"),
            ("/tmp/d/.", "/tmp/d/", ".", "."),
            ("/", "/", "", "/"),
            (".", "/", ".", "."),
            ("/.", "/", ".", "."),
            ("../../x", "/", "x", "x"),
            ("a/../b", "/", "b", "b"),
        ] {
            let asked = Asked::parse(raw);
            assert_eq!((&*asked.directory, &*asked.base, &*asked.name), (directory, base, name), "{raw}");
        }
    }
}
