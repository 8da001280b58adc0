//! Making an archive of a tree, which others may be changing.
//!
//! Everything is opened by `O_PATH` without following links, looked at, and only then opened for reading, and only
//! where it is a regular file or a directory: a name that is swapped for a device, a pipe or a link in between gives
//! at most another file of the same tree. Names are sorted, so the same tree gives the same archive.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Statx, StatxAttributes, StatxFlags, fgetxattr, flistxattr, getxattr,
    openat, readlinkat, statx,
};
use rustix::io::Errno;

use crate::unpack::{is_wanted, split_list};
use crate::{Entry, Kind, Output, Writer};

/// Deeper than this is an attack on our stack and descriptors.
const MAX_DEPTH: usize = 512;

/// Something in the tree, before it is archived.
#[derive(Debug)]
pub struct Found<'a> {
    /// Below the tree's root; empty is the root itself.
    pub path: &'a [u8],
    /// It is a directory.
    pub directory: bool,
    /// It is a regular file and has nothing in it.
    pub empty_file: bool,
    /// Something is mounted here: the mount's id. Never said of the root.
    pub mount: Option<u64>,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It is archived, with all that is in it.
    Whole,
    /// Of a directory only itself.
    Bare,
    /// It is left out.
    Nothing,
}

/// How a tree is archived.
pub struct Packing<'a> {
    /// What the root is called: `.`, `/`, a name; empty: it is left out, and what is in it stands at the top.
    pub name: &'a [u8],
    /// The tree is overlay's upper directory: its marks become a layer's (`.wh.…`).
    pub overlay: bool,
    /// What becomes of each thing.
    pub choose: &'a mut dyn FnMut(&Found<'_>) -> Take,
}

impl std::fmt::Debug for Packing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packing").field("overlay", &self.overlay).finish_non_exhaustive()
    }
}

/// Archives `base` in `directory`, or the directory itself where `base` is empty.
///
/// # Errors
/// What could not be read, or nobody takes the archive any more. What vanishes on the way is left out.
pub fn pack<W: Output>(
    directory: BorrowedFd<'_>,
    base: &[u8],
    packing: Packing<'_>,
    writer: &mut Writer<W>,
) -> io::Result<()> {
    let (name, overlay) = (packing.name.to_vec(), packing.overlay);
    let mut pack = Pack { writer, seen: HashMap::new(), overlay, choose: packing.choose };
    let opened = match base {
        b"" => openat(directory, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()),
        base => openat(directory, base, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()),
    }?;
    let stat = look(&opened)?;
    pack.one(&opened, &stat, &name, &mut Vec::new(), 0)
}

struct Pack<'a, W> {
    writer: &'a mut Writer<W>,
    /// First names of files that have several.
    seen: HashMap<(u32, u32, u64), Vec<u8>>,
    overlay: bool,
    choose: &'a mut dyn FnMut(&Found<'_>) -> Take,
}

fn look(file: &OwnedFd) -> Result<Statx, Errno> {
    statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)
}

/// One that names the very file, for calls that take no descriptor of `O_PATH`.
fn link_of(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

impl<W: Output> Pack<'_, W> {
    fn one(&mut self, file: &OwnedFd, stat: &Statx, name: &[u8], path: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        let kind = FileType::from_raw_mode(stat.stx_mode.into());
        let is_mount = depth > 0 && stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
        let mount = is_mount.then_some(stat.stx_mnt_id);
        let directory = kind == FileType::Directory;
        let empty_file = kind == FileType::RegularFile && stat.stx_size == 0;
        let take = (self.choose)(&Found { path, directory, empty_file, mount });
        if take == Take::Nothing {
            return Ok(());
        }
        let mut entry = entry(stat, name);
        match kind {
            FileType::Directory => {
                if !name.is_empty() {
                    if !name.ends_with(b"/") {
                        entry.path.push(b'/');
                    }
                    entry.xattrs = xattrs_at(file);
                    self.writer.entry(&entry)?;
                }
                if take == Take::Whole { self.children(file, name, path, depth) } else { Ok(()) }
            }
            FileType::RegularFile => self.file(file, stat, entry),
            FileType::Symlink => {
                entry.kind = Kind::Symlink;
                entry.link = readlinkat(file, "", Vec::new())?.into_bytes();
                self.linked(stat, entry)
            }
            FileType::CharacterDevice if self.overlay && stat.stx_rdev_major == 0 && stat.stx_rdev_minor == 0 => {
                self.whiteout(entry)
            }
            FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo => {
                entry.kind = match kind {
                    FileType::CharacterDevice => Kind::CharDevice,
                    FileType::BlockDevice => Kind::BlockDevice,
                    _ => Kind::Fifo,
                };
                self.linked(stat, entry)
            }
            // Sockets mean nothing without their process.
            _ => Ok(()),
        }
    }

    /// What is gone in this layer, as an entry that says so.
    fn whiteout(&mut self, mut entry: Entry) -> io::Result<()> {
        let at = entry.path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
        entry.path.splice(at..at, *b".wh.");
        (entry.kind, entry.size, entry.mode) = (Kind::File, 0, 0);
        self.writer.entry(&entry)
    }

    /// Archives it, or that it is another name of what was.
    fn linked(&mut self, stat: &Statx, mut entry: Entry) -> io::Result<()> {
        match self.earlier(stat, &entry.path) {
            Some(first) => {
                (entry.kind, entry.link, entry.size) = (Kind::HardLink, first, 0);
                self.writer.entry(&entry)
            }
            None => self.writer.entry(&entry),
        }
    }

    fn earlier(&mut self, stat: &Statx, name: &[u8]) -> Option<Vec<u8>> {
        if stat.stx_nlink < 2 {
            return None;
        }
        let key = (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino);
        match self.seen.get(&key) {
            Some(first) => Some(first.clone()),
            None => {
                self.seen.insert(key, name.to_vec());
                None
            }
        }
    }

    fn file(&mut self, file: &OwnedFd, stat: &Statx, mut entry: Entry) -> io::Result<()> {
        if let Some(first) = self.earlier(stat, &entry.path) {
            (entry.kind, entry.link, entry.size) = (Kind::HardLink, first, 0);
            return self.writer.entry(&entry);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat(CWD, link_of(file), flags, Mode::empty())?;
        entry.xattrs = xattrs(&opened);
        self.writer.file(&entry, opened.as_fd())
    }

    fn children(&mut self, directory: &OwnedFd, name: &[u8], path: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        if depth >= MAX_DEPTH {
            return Err(io::Error::other(format!("more than {MAX_DEPTH} directories in one another")));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(directory, ".", flags, Mode::empty())?;
        if self.overlay && depth > 0 && is_opaque(&directory) {
            let stat = look(&directory)?;
            let mark = Entry { kind: Kind::File, size: 0, mode: 0, ..entry(&stat, &join(name, b".wh..wh..opq")) };
            self.writer.entry(&mark)?;
        }
        for child in names(&directory)? {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let opened = match openat(&directory, &child[..], flags, Mode::empty()) {
                Err(Errno::NOENT) => continue,
                opened => opened?,
            };
            let stat = look(&opened)?;
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(&child);
            let done = self.one(&opened, &stat, &join(name, &child), path, depth + 1);
            path.truncate(length);
            done?;
        }
        Ok(())
    }
}

fn join(name: &[u8], child: &[u8]) -> Vec<u8> {
    match name {
        b"" => child.to_vec(),
        name if name.ends_with(b"/") => [name, child].concat(),
        name => [name, b"/", child].concat(),
    }
}

/// The names in a directory, sorted, without `.` and `..`.
///
/// # Errors
/// It cannot be read.
pub fn names(directory: &OwnedFd) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether overlay shows nothing of what lies below this directory of an upper directory.
pub fn is_opaque(directory: &OwnedFd) -> bool {
    let mut value = [0_u8; 1];
    matches!(fgetxattr(directory, "trusted.overlay.opaque", &mut value), Ok(1)) && value == *b"y"
}

fn entry(stat: &Statx, name: &[u8]) -> Entry {
    let kind = FileType::from_raw_mode(stat.stx_mode.into());
    let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
    Entry {
        path: name.to_vec(),
        link: Vec::new(),
        kind: if kind == FileType::Directory { Kind::Directory } else { Kind::File },
        mode: u32::from(stat.stx_mode) & 0o7777,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        // Whole seconds, as Docker's archives have them.
        mtime: (stat.stx_mtime.tv_sec, 0),
        device: if device { (stat.stx_rdev_major, stat.stx_rdev_minor) } else { (0, 0) },
        size: if kind == FileType::RegularFile { stat.stx_size } else { 0 },
        xattrs: Vec::new(),
    }
}

type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// The attributes that archives carry; a file system that has none, or an attribute that goes, is no error.
fn xattrs(file: &OwnedFd) -> Xattrs {
    let mut list = Vec::with_capacity(1024);
    if let Err(Errno::RANGE) = flistxattr(file, spare_capacity(&mut list)) {
        list.reserve(64 << 10);
        let _ = flistxattr(file, spare_capacity(&mut list));
    }
    collect(&list, |name, value| fgetxattr(file, name, value))
}

fn xattrs_at(file: &OwnedFd) -> Xattrs {
    let link = link_of(file);
    let mut list = Vec::with_capacity(64 << 10);
    if rustix::fs::listxattr(&link, spare_capacity(&mut list)).is_err() {
        return Vec::new();
    }
    collect(&list, |name, value| getxattr(&link, name, value))
}

fn collect(list: &[u8], mut get: impl FnMut(&[u8], &mut [u8]) -> Result<usize, Errno>) -> Xattrs {
    let mut found: Xattrs = Vec::new();
    for name in split_list(list).filter(|name| is_wanted(name)) {
        let mut value = vec![0; 64 << 10];
        if let Ok(length) = get(name, &mut value) {
            value.truncate(length);
            found.push((name.to_vec(), value));
        }
    }
    found.sort_unstable();
    found
}
