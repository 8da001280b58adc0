//! Making files below one directory, whatever lies in the way.

use std::collections::HashMap;
use std::io::BufRead;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, XattrFlags, fchmod, fsetxattr, ftruncate, linkat, makedev, mkdirat,
    mknodat, openat, statat, symlinkat, unlinkat,
};
use rustix::io::{Errno, pwrite};

use super::path::Name;
use super::replaced::Replaced;
use super::root::{Root, below};
use super::times::Times;
use super::{Owner, UnpackError, attributes, lossy};
use crate::{Entry, Kind, Reader};

/// Directories kept open: an archive lists a directory's files one after another.
const OPEN_PARENTS: usize = 64;

/// How deep a directory may be that a later entry replaces: more is an attack on our stack and descriptors.
const MAX_REPLACED_DEPTH: usize = 256;

/// The directory being filled.
pub(super) struct Tree {
    root: Root,
    /// By the paths that the archive has for them.
    parents: HashMap<Vec<u8>, Parent>,
    owner: Owner,
    times: Times,
    replaced: Replaced,
}

/// A directory that is open.
struct Parent {
    opened: OwnedFd,
    /// The path that leads there without any link.
    real: Vec<u8>,
}

/// Bytes written, or found to be a hole, at once.
const PIECE: usize = 256 << 10;

type Step<T> = Result<T, UnpackError>;

fn failed(doing: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> UnpackError {
    move |errno| UnpackError::Step { doing, path: lossy(path), errno }
}

impl Tree {
    pub(super) fn open(directory: &Path) -> Step<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let name = directory.as_os_str().as_encoded_bytes();
        let root = openat(CWD, directory, flags, Mode::empty()).map_err(failed("opening", name))?;
        // Whatever the daemon's umask was when the directory was made.
        fchmod(&root, Mode::from_raw_mode(0o755)).map_err(failed("opening up", name))?;
        Ok(Self::within(root, Owner::Recorded))
    }

    /// A tree whose root is open for reading.
    pub(super) fn within(root: OwnedFd, owner: Owner) -> Self {
        let (root, parents) = (Root::new(root), HashMap::new());
        Self { root, parents, owner, times: Times::default(), replaced: Replaced::default() }
    }

    /// What lies under a name, if anything does.
    pub(super) fn there(&mut self, name: &Name) -> Step<Option<FileType>> {
        let parent = match self.root.directory(name.parent()) {
            Err(Errno::NOENT) => return Ok(None),
            parent => parent.map_err(failed("opening the directory", name.parent()))?,
        };
        match statat(&parent, name.base(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(None),
            stat => {
                stat.map(|stat| Some(FileType::from_raw_mode(stat.st_mode))).map_err(failed("looking at", name.path()))
            }
        }
    }

    /// What the archive says about the root itself.
    pub(super) fn root(&mut self, entry: &Entry) -> Step<()> {
        if entry.kind != Kind::Directory {
            return Ok(());
        }
        attributes::set_open(&self.root, entry, self.owner).map_err(failed("setting the attributes of", b"/"))?;
        self.times.put(Vec::new(), entry.mtime);
        Ok(())
    }

    pub(super) fn directory(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        let parent = self.parent(name.parent())?;
        let base = name.base();
        let mut opaque = false;
        match mkdirat(parent, base, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let there =
                    statat(parent, base, AtFlags::SYMLINK_NOFOLLOW).map_err(failed("looking at", name.path()))?;
                if FileType::from_raw_mode(there.st_mode) != FileType::Directory {
                    // A whiteout and then a directory: nothing of the one below may show through.
                    opaque = is_whiteout(&there);
                    remove(parent, base).map_err(failed("replacing", name.path()))?;
                    mkdirat(parent, base, Mode::RWXU).map_err(failed("making the directory", name.path()))?;
                    self.parents.clear();
                }
            }
            Err(e) => return Err(failed("making the directory", name.path())(e)),
        }
        let opened = self.open_in(name)?;
        attributes::set_open(&opened, entry, self.owner).map_err(failed("setting the attributes of", name.path()))?;
        if opaque {
            set_opaque(&opened).map_err(failed("hiding what is below", name.path()))?;
        }
        let real = self.real(name);
        self.times.put(real.clone(), entry.mtime);
        self.remember(name.path(), Parent { opened, real });
        Ok(())
    }

    pub(super) fn file(&mut self, name: &Name, entry: &Entry, reader: &mut Reader<impl BufRead>) -> Step<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            self.make(name, "making the file", |parent, base| openat(parent, base, flags, Mode::RUSR | Mode::WUSR))?;
        let mut end = 0;
        loop {
            let (offset, ready) = reader.ready()?;
            if ready.is_empty() {
                break;
            }
            let length = ready.len().min(PIECE);
            let piece = &ready[..length];
            if !is_hole(piece) {
                write_at(&file, piece, offset).map_err(failed("writing", name.path()))?;
                end = offset + length as u64;
            }
            reader.taken(length);
        }
        if end < entry.size {
            ftruncate(&file, entry.size).map_err(failed("growing", name.path()))?;
        }
        attributes::set_open(&file, entry, self.owner)
            .and_then(|()| attributes::set_times(&file, entry.mtime))
            .map_err(failed("setting the attributes of", name.path()))
    }

    pub(super) fn symlink(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        self.make(name, "making the symbolic link", |parent, base| symlinkat(&entry.link[..], parent, base))?;
        self.dress(name, entry)
    }

    pub(super) fn node(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        let kind = match entry.kind {
            Kind::CharDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        let device = makedev(entry.device.0, entry.device.1);
        self.make(name, "making the device", |parent, base| mknodat(parent, base, kind, Mode::RUSR, device))?;
        self.dress(name, entry)
    }

    pub(super) fn hard_link(&mut self, name: &Name, target: &Name, missing: impl Fn() -> UnpackError) -> Step<()> {
        if name == target {
            return Ok(());
        }
        let from = self.root.directory(target.parent()).map_err(|_| missing())?;
        let there = statat(&from, target.base(), AtFlags::SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if is_whiteout(&there) || FileType::from_raw_mode(there.st_mode) == FileType::Directory {
            return Err(missing());
        }
        self.make(name, "making the hard link", |parent, base| {
            linkat(&from, target.base(), parent, base, AtFlags::empty())
        })
    }

    /// What lies below is gone: a character device 0:0 says so to overlay.
    pub(super) fn whiteout(&mut self, name: &Name, mark: &Entry) -> Step<()> {
        let parent = self.parent(name.parent())?;
        match mknodat(parent, name.base(), FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => attributes::set_whiteout(parent, name.base(), mark.mtime)
                .map_err(failed("setting the attributes of", name.path())),
            // The layer has something of that name itself: it hides what is below, but for a directory's contents.
            Err(Errno::EXIST) => {
                let there = statat(parent, name.base(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(failed("looking at", name.path()))?;
                if FileType::from_raw_mode(there.st_mode) != FileType::Directory {
                    return Ok(());
                }
                let opened = self.open_in(name)?;
                set_opaque(&opened).map_err(failed("hiding what is below", name.path()))
            }
            Err(e) => Err(failed("hiding", name.path())(e)),
        }
    }

    /// Everything below in this directory is gone.
    pub(super) fn opaque(&mut self, directory: &[u8]) -> Step<()> {
        let opened = self.parent(directory)?;
        set_opaque(opened).map_err(failed("hiding what is below", directory))
    }

    /// Sets the times of directories.
    pub(super) fn finish(mut self) -> Step<()> {
        self.parents.clear();
        for (path, mtime) in self.times.deepest_first() {
            // Where others are at work, something else may lie there by now.
            let Ok(opened) = self.root.exactly(&path) else { continue };
            attributes::set_times(&opened, mtime).map_err(failed("setting the times of", &path))?;
        }
        Ok(())
    }

    fn dress(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        let owner = self.owner;
        let parent = self.parent(name.parent())?;
        attributes::set_at(parent, name.base(), entry, owner).map_err(failed("setting the attributes of", name.path()))
    }

    /// Makes something new under a name, in place of what has it.
    fn make<T>(
        &mut self,
        name: &Name,
        doing: &'static str,
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Step<T> {
        let mut replaced = std::mem::take(&mut self.replaced);
        let parent = self.parent(name.parent())?;
        let made = match make(parent, name.base()) {
            Err(Errno::EXIST) => {
                replaced.hold(parent, name.base());
                remove(parent, name.base()).map_err(failed("replacing", name.path()))?;
                let made = make(parent, name.base()).map_err(failed(doing, name.path()));
                // What was there may have been a directory that is open, or a link to one.
                let real = self.real(name);
                self.times.forget(&real);
                self.parents.clear();
                made
            }
            made => made.map_err(failed(doing, name.path())),
        };
        self.replaced = replaced;
        made
    }

    /// The directory that an entry goes into, made where the archive does not list it.
    fn parent(&mut self, path: &[u8]) -> Step<BorrowedFd<'_>> {
        if path.is_empty() {
            return Ok(self.root.as_fd());
        }
        if !self.parents.contains_key(path) {
            let parent = match self.root.real(path) {
                Err(Errno::NOENT) => self.make_parents(path)?,
                found => {
                    let (opened, real) = found.map_err(failed("opening the directory", path))?;
                    Parent { opened, real }
                }
            };
            self.remember(path, parent);
        }
        Ok(self.parents[path].opened.as_fd())
    }

    /// Where something really lies whose parent is open.
    fn real(&self, name: &Name) -> Vec<u8> {
        match name.parent() {
            b"" => name.base().to_vec(),
            parent => below(&self.parents[parent].real, name.base()),
        }
    }

    fn make_parents(&mut self, path: &[u8]) -> Step<Parent> {
        let split = path.iter().rposition(|&b| b == b'/');
        let (above, base) = match split {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        let owner = self.owner;
        let parent = self.parent(above)?;
        mkdirat(parent, base, Mode::RWXU).map_err(failed("making the directory", path))?;
        let (opened, real) = self.root.real(path).map_err(failed("opening the directory", path))?;
        attributes::set_unlisted(&opened, owner).map_err(failed("setting the attributes of", path))?;
        Ok(Parent { opened, real })
    }

    fn remember(&mut self, path: &[u8], directory: Parent) {
        if self.parents.len() >= OPEN_PARENTS {
            self.parents.clear();
        }
        self.parents.insert(path.to_vec(), directory);
    }

    /// Opens the directory of that very name, not what a link of that name leads to.
    fn open_in(&mut self, name: &Name) -> Step<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parent = self.parent(name.parent())?;
        openat(parent, name.base(), flags, Mode::empty()).map_err(failed("opening the directory", name.path()))
    }
}

fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn set_opaque(directory: impl AsFd) -> Result<(), Errno> {
    fsetxattr(directory, "trusted.overlay.opaque", b"y", XattrFlags::empty())
}

/// Long runs of zeros are not written: they read back as zeros, and cost neither disk nor a bomb's victim.
fn is_hole(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
    bytes.len() >= ZEROS.len() && bytes.chunks(ZEROS.len()).all(|chunk| chunk == &ZEROS[..chunk.len()])
}

fn write_at(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match pwrite(file, bytes, offset) {
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Removes whatever has this name, a directory with all that is in it; follows nothing.
fn remove(parent: BorrowedFd<'_>, base: &[u8]) -> Result<(), Errno> {
    remove_to(parent, base, MAX_REPLACED_DEPTH)
}

fn remove_to(parent: BorrowedFd<'_>, base: &[u8], depth: usize) -> Result<(), Errno> {
    match unlinkat(parent, base, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        done => return done,
    }
    let below = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(parent, base, flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            remove_to(directory.as_fd(), name, below)?;
        }
    }
    unlinkat(parent, base, AtFlags::REMOVEDIR)
}
