//! What a container has changed: its writable layer compared with the layers below, which is all that need be looked at.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use berth_archive::pack::{is_opaque, names};
use berth_image::Lower;
use oci_spec::runtime::Mount;
use rustix::fs::{AtFlags, CWD, FileType, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use super::root::all_mounts;
use super::{NO_MODE, READ};
use crate::ground::Ground;
use crate::plan::mounts::clean;
use crate::view::ContainerView;
use crate::{Error, Result};

/// What Docker puts into every container.
const MARK: &str = "/.dockerenv";

/// Deeper than this is an attack on our stack and descriptors.
const MAX_DEPTH: usize = 512;

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is another than it was, or something in it is.
    Modified,
    /// It was not there.
    Added,
    /// It was there.
    Deleted,
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As the container sees it.
    pub path: String,
    /// How.
    pub kind: ChangeKind,
}

/// What was found in a writable layer.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) changes: Vec<(Vec<u8>, ChangeKind)>,
    /// Files and directories that were made to mount something on, and are empty.
    pub(super) hidden: BTreeSet<Vec<u8>>,
}

/// What differs from the image. What things are mounted on is not shown.
pub(super) fn of(ground: &Ground, view: &ContainerView) -> Result<Vec<Change>> {
    let scan = scan(ground, view, &all_mounts(ground, view)?)?;
    let shown =
        |(path, kind): (Vec<u8>, ChangeKind)| Change { path: format!("/{}", String::from_utf8_lossy(&path)), kind };
    Ok(scan.changes.into_iter().map(shown).collect())
}

/// The same with what belongs to the container as its user sees it: only what every container has is left out.
pub(super) fn own(ground: &Ground, view: &ContainerView) -> Result<Scan> {
    let users: BTreeSet<String> = view.effective.mounts.iter().map(|mount| clean(&mount.target)).collect();
    let basic: Vec<Mount> = all_mounts(ground, view)?
        .into_iter()
        .filter(|mount| mount.destination().to_str().is_none_or(|path| !users.contains(path)))
        .collect();
    scan(ground, view, &basic)
}

fn scan(ground: &Ground, view: &ContainerView, mounts: &[Mount]) -> Result<Scan> {
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |errno: Errno| Error::File { doing: "comparing", path, source: errno.into() }
    };
    let mut targets: BTreeSet<Vec<u8>> = BTreeSet::new();
    for path in mounts.iter().filter_map(|mount| mount.destination().to_str()).chain([MARK]) {
        let path = clean(path);
        targets.extend(path.match_indices('/').skip(1).map(|(at, _)| path.as_bytes()[1..at].to_vec()));
        targets.insert(path.as_bytes()[1..].to_vec());
    }
    let lowers = ground.images.layers(&view.image_id, view.id.as_str())?;
    let open = |lower: &Lower| openat(&*lower.open()?, ".", READ, NO_MODE).map_err(failed(&lower.path().to_owned()));
    let lowers: Result<Vec<OwnedFd>> = lowers.iter().map(open).collect();
    let upper = openat(CWD, &view.paths.upper, READ, NO_MODE).map_err(failed(&view.paths.upper))?;
    let mut scanner = Scanner { targets, scan: Scan::default() };
    scanner.directory(&upper, &lowers?, &mut Vec::new(), 0).map_err(failed(&view.paths.upper))?;
    Ok(scanner.scan)
}

struct Scanner {
    /// Mount points and the directories they are in.
    targets: BTreeSet<Vec<u8>>,
    scan: Scan,
}

/// What the layers below have under a name.
enum Below {
    Nothing,
    /// A directory, of one layer or several: the uppermost first.
    Directory(Stat, Vec<OwnedFd>),
    Other,
}

impl Scanner {
    /// Compares what is in a directory of the upper layer.
    fn directory(
        &mut self,
        upper: &OwnedFd,
        lowers: &[OwnedFd],
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Errno> {
        if depth > MAX_DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        let here = names(upper)?;
        let mut all: BTreeSet<Vec<u8>> = here.iter().cloned().collect();
        if depth > 0 && is_opaque(upper) {
            all.extend(names_below(lowers)?);
        }
        for name in all {
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&name);
            let stat = match statat(upper, &name[..], AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => None,
                stat => Some(stat?),
            };
            self.one(upper, &name, stat, lowers, path, depth)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn one(
        &mut self,
        upper: &OwnedFd,
        name: &[u8],
        stat: Option<Stat>,
        lowers: &[OwnedFd],
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Errno> {
        let below = below(lowers, name)?;
        let there = !matches!(below, Below::Nothing);
        let Some(stat) = stat.filter(|stat| !is_whiteout(stat)) else {
            if there {
                self.say(path, ChangeKind::Deleted);
            }
            return Ok(());
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            if !there && stat.st_size == 0 && self.targets.contains(path) {
                self.scan.hidden.insert(path.clone());
                return Ok(());
            }
            self.say(path, if there { ChangeKind::Modified } else { ChangeKind::Added });
            if let Below::Directory(_, lowers) = below {
                self.all_deleted(&lowers, path)?;
            }
            return Ok(());
        }
        let (before, lowers, same) = match below {
            Below::Directory(old, lowers) => (true, lowers, same_directory(&old, &stat)),
            Below::Other => (true, Vec::new(), false),
            Below::Nothing => (false, Vec::new(), false),
        };
        let mark = self.scan.changes.len();
        self.say(path, if before { ChangeKind::Modified } else { ChangeKind::Added });
        let opened = openat(upper, name, READ | OFlags::NOFOLLOW, NO_MODE)?;
        self.directory(&opened, &lowers, path, depth + 1)?;
        let alone = self.scan.changes.len() == mark + 1;
        if alone && !before && self.targets.contains(path) {
            self.scan.hidden.insert(path.clone());
        }
        if alone && (same || self.scan.hidden.contains(path)) {
            self.scan.changes.truncate(mark);
        }
        Ok(())
    }

    fn all_deleted(&mut self, lowers: &[OwnedFd], path: &[u8]) -> Result<(), Errno> {
        for name in names_below(lowers)? {
            let gone = [path, b"/", &name].concat();
            self.say(&gone, ChangeKind::Deleted);
        }
        Ok(())
    }

    fn say(&mut self, path: &[u8], kind: ChangeKind) {
        self.scan.changes.push((path.to_vec(), kind));
    }
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// A directory is copied up for what changes in it; that alone makes it no other one.
fn same_directory(old: &Stat, new: &Stat) -> bool {
    (old.st_mode, old.st_uid, old.st_gid) == (new.st_mode, new.st_uid, new.st_gid)
}

fn below(lowers: &[OwnedFd], name: &[u8]) -> Result<Below, Errno> {
    let (mut first, mut directories) = (None, Vec::new());
    for lower in lowers {
        let stat = match statat(lower, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            stat => stat?,
        };
        if is_whiteout(&stat) {
            break;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            if first.is_none() {
                return Ok(Below::Other);
            }
            break;
        }
        let opened = openat(lower, name, READ | OFlags::NOFOLLOW, NO_MODE)?;
        first.get_or_insert(stat);
        let opaque = is_opaque(&opened);
        directories.push(opened);
        if opaque {
            break;
        }
    }
    Ok(first.map_or(Below::Nothing, |stat| Below::Directory(stat, directories)))
}

/// The names that the layers below show in a directory.
fn names_below(lowers: &[OwnedFd]) -> Result<BTreeSet<Vec<u8>>, Errno> {
    let mut shown = BTreeSet::new();
    for lower in lowers {
        for name in names(lower)? {
            if !shown.contains(&name) && !matches!(below(lowers, &name)?, Below::Nothing) {
                shown.insert(name);
            }
        }
    }
    Ok(shown)
}
