//! What the archive makes, as long as it is being read: a tree of inodes in memory, without their data.
//!
//! It answers as a kernel would whose directory is being filled: paths are resolved from the root, whatever symbolic
//! links of the layer lie on the way, and nothing leads out.

use std::collections::BTreeMap;
use std::io::BufRead;

use berth_archive::{ArchiveError, Entry, Form, Kind, Name, Reader, UnpackError, is_wanted, lossy};
use rustix::io::Errno;

use crate::format::device;
use crate::image::ARCHIVE_START;
use crate::tape::Tape;
use crate::xattrs::{self, OPAQUE, Xattr};

/// How many links a path may lead through, as in the kernel.
const MAX_LINKS: usize = 40;
/// The longest link.
const MAX_LINK: usize = 4095;
/// Memory for what is remembered. Real layers of a hundred thousand files take a tenth of it.
const MAX_WEIGHT: u64 = 512 << 20;
/// What an inode and its entry weigh, beyond name and attributes.
const INODE_WEIGHT: u64 = 192;

pub(crate) type Id = u32;
pub(crate) const ROOT: Id = 0;

type Step<T> = Result<T, UnpackError>;

pub(crate) fn failed(doing: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> UnpackError {
    move |errno| UnpackError::Step { doing, path: lossy(path), errno }
}

/// An inode to be.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) body: Body,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: (i64, u32),
    /// Names that lead to it; a directory's are counted when it gets its place.
    pub(crate) links: u32,
    pub(crate) xattrs: Vec<Xattr>,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Body {
    Directory(Box<Directory>),
    /// Its data, where the image has them.
    File {
        at: u64,
        size: u64,
    },
    Sparse(Box<Sparse>),
    Symlink(Box<[u8]>),
    CharDevice(u32),
    BlockDevice(u32),
    Fifo,
}

#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) parent: Id,
    pub(crate) entries: BTreeMap<Box<[u8]>, Id>,
}

/// A file with holes, of which the archive has only the rest.
#[derive(Debug)]
pub(crate) struct Sparse {
    pub(crate) size: u64,
    /// Where the image has what the archive has of it.
    pub(crate) at: u64,
    /// Offset and length of each piece of that.
    pub(crate) segments: Vec<(u64, u64)>,
}

impl Body {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Directory(_) => Kind::Directory,
            Self::File { .. } | Self::Sparse(_) => Kind::File,
            Self::Symlink(_) => Kind::Symlink,
            Self::CharDevice(_) => Kind::CharDevice,
            Self::BlockDevice(_) => Kind::BlockDevice,
            Self::Fifo => Kind::Fifo,
        }
    }
}

/// The tree, and how it grows.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// The directory that the last entry went into: an archive lists a directory's files one after another.
    last: Option<(Vec<u8>, Id)>,
    /// When the last entry was changed; directories that the archive does not list are as old.
    clock: (i64, u32),
    weight: u64,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let mut tree = Self { nodes: Vec::new(), last: None, clock: (0, 0), weight: 0 };
        tree.nodes.push(tree.blank(Body::Directory(Box::default()), 0o755));
        tree
    }

    fn blank(&self, body: Body, mode: u32) -> Node {
        Node { body, mode, uid: 0, gid: 0, mtime: self.clock, links: 0, xattrs: Vec::new() }
    }

    pub(crate) fn inode(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    fn inode_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(crate) fn as_directory(&self, id: Id) -> Option<&Directory> {
        match &self.inode(id).body {
            Body::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    fn child(&self, parent: Id, base: &[u8]) -> Option<Id> {
        self.as_directory(parent)?.entries.get(base).copied()
    }

    fn is_whiteout(&self, id: Id) -> bool {
        matches!(self.inode(id).body, Body::CharDevice(0))
    }

    fn charge(&mut self, bytes: usize) -> Step<()> {
        self.weight += bytes as u64;
        if self.weight > MAX_WEIGHT { Err(UnpackError::TooLarge(MAX_WEIGHT)) } else { Ok(()) }
    }

    /// Gives an inode a name that is free.
    fn link(&mut self, parent: Id, base: &[u8], id: Id) -> Step<()> {
        self.charge(base.len() + 64)?;
        if let Body::Directory(directory) = &mut self.inode_mut(parent).body {
            directory.entries.insert(base.into(), id);
        }
        self.inode_mut(id).links += 1;
        Ok(())
    }

    fn add(&mut self, parent: Id, base: &[u8], body: Body, mode: u32) -> Step<Id> {
        self.charge(INODE_WEIGHT as usize)?;
        let id = Id::try_from(self.nodes.len()).map_err(|_| UnpackError::TooLarge(MAX_WEIGHT))?;
        let node = self.blank(body, mode);
        self.nodes.push(node);
        if let Body::Directory(directory) = &mut self.inode_mut(id).body {
            directory.parent = parent;
        }
        self.link(parent, base, id)?;
        Ok(id)
    }

    /// Makes something new under a name, in place of what has it.
    fn make(&mut self, name: &Name, body: Body, entry: &Entry) -> Step<Id> {
        self.clock = entry.mtime;
        let parent = self.parent(name.parent())?;
        self.remove(parent, name.base());
        let id = self.add(parent, name.base(), body, entry.mode)?;
        self.dress(id, name.path(), entry)?;
        Ok(id)
    }

    /// Takes a name away, and a directory with all that is in it.
    fn remove(&mut self, parent: Id, base: &[u8]) {
        let Body::Directory(directory) = &mut self.inode_mut(parent).body else { return };
        let Some(id) = directory.entries.remove(base) else { return };
        self.last = None;
        let mut gone = vec![id];
        while let Some(id) = gone.pop() {
            let node = self.inode_mut(id);
            node.links -= 1;
            if let Body::Directory(directory) = &mut node.body {
                gone.extend(std::mem::take(&mut directory.entries).into_values());
            }
        }
    }

    fn dress(&mut self, id: Id, path: &[u8], entry: &Entry) -> Step<()> {
        let refused = || failed("setting the attributes of", path);
        for (name, value) in entry.xattrs.iter().filter(|(name, _)| is_wanted(name)) {
            if xattrs::permitted(self.inode(id).body.kind(), name, value).map_err(refused())? {
                self.charge(name.len() + value.len() + 64)?;
                xattrs::set(&mut self.inode_mut(id).xattrs, name, value).map_err(refused())?;
            }
        }
        let node = self.inode_mut(id);
        (node.uid, node.gid, node.mtime) = (entry.uid, entry.gid, entry.mtime);
        // Links have no permissions of their own.
        node.mode = if entry.kind == Kind::Symlink { 0o777 } else { entry.mode };
        Ok(())
    }

    fn set_opaque(&mut self, id: Id, path: &[u8]) -> Step<()> {
        xattrs::set(&mut self.inode_mut(id).xattrs, OPAQUE, b"y").map_err(failed("hiding what is below", path))
    }

    /// The directory that an entry goes into, made where the archive does not list it.
    fn parent(&mut self, path: &[u8]) -> Step<Id> {
        if let Some((last, id)) = &self.last
            && last == path
        {
            return Ok(*id);
        }
        let id = match self.resolve(path) {
            Err(Errno::NOENT) => self.make_parents(path)?,
            found => found.map_err(failed("opening the directory", path))?,
        };
        self.last = Some((path.to_vec(), id));
        Ok(id)
    }

    fn make_parents(&mut self, path: &[u8]) -> Step<Id> {
        let split = path.iter().rposition(|&b| b == b'/');
        let (above, base) = match split {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], path),
        };
        let parent = self.parent(above)?;
        if self.child(parent, base).is_some() {
            // A link to nothing.
            return Err(failed("making the directory", path)(Errno::EXIST));
        }
        self.add(parent, base, Body::Directory(Box::default()), 0o755)
    }

    /// Finds a directory; symbolic links on the way lead where they would lead inside the image.
    fn resolve(&self, path: &[u8]) -> Result<Id, Errno> {
        let mut parts: Vec<&[u8]> = path.rsplit(|&b| b == b'/').collect();
        let (mut at, mut links) = (ROOT, 0);
        while let Some(part) = parts.pop() {
            let directory = self.as_directory(at).ok_or(Errno::NOTDIR)?;
            match part {
                b"" | b"." => {}
                b".." => at = directory.parent,
                part => {
                    let id = *directory.entries.get(part).ok_or(Errno::NOENT)?;
                    match &self.inode(id).body {
                        Body::Directory(_) => at = id,
                        Body::Symlink(target) => {
                            links += 1;
                            if links > MAX_LINKS {
                                return Err(Errno::LOOP);
                            }
                            if target.starts_with(b"/") {
                                at = ROOT;
                            }
                            parts.extend(target.rsplit(|&b| b == b'/'));
                        }
                        _ => return Err(Errno::NOTDIR),
                    }
                }
            }
        }
        Ok(at)
    }
}

impl<R: BufRead> Form<Tape<'_, R>> for Tree {
    fn root(&mut self, entry: &Entry) -> Step<()> {
        if entry.kind != Kind::Directory {
            return Ok(());
        }
        self.dress(ROOT, b"/", entry)
    }

    fn directory(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        self.clock = entry.mtime;
        let parent = self.parent(name.parent())?;
        let there = self.child(parent, name.base());
        let id = match there.filter(|&id| self.as_directory(id).is_some()) {
            Some(id) => {
                self.dress(id, name.path(), entry)?;
                id
            }
            // A whiteout and then a directory: nothing of the one below may show through.
            None => {
                let opaque = there.is_some_and(|id| self.is_whiteout(id));
                let id = self.make(name, Body::Directory(Box::default()), entry)?;
                if opaque {
                    self.set_opaque(id, name.path())?;
                }
                id
            }
        };
        self.last = Some((name.path().to_vec(), id));
        Ok(())
    }

    fn file(&mut self, name: &Name, entry: &Entry, reader: &mut Reader<Tape<'_, R>>) -> Step<()> {
        let at = ARCHIVE_START + reader.input().position();
        let body = match reader.segments() {
            Some(segments) => {
                let sparse = Sparse { size: entry.size, at, segments: segments.to_vec() };
                self.charge(size_of_val(segments))?;
                Body::Sparse(Box::new(sparse))
            }
            None => Body::File { at, size: entry.size },
        };
        self.make(name, body, entry)?;
        let (data, padding) = reader.pass_over();
        let tape = reader.input();
        if tape.skip(data).map_err(ArchiveError::from)? != data {
            return Err(ArchiveError::Truncated.into());
        }
        tape.skip(padding).map_err(ArchiveError::from)?;
        Ok(())
    }

    fn symlink(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        let refused = failed("making the symbolic link", name.path());
        match entry.link.len() {
            0 => return Err(refused(Errno::NOENT)),
            length if length > MAX_LINK => return Err(refused(Errno::NAMETOOLONG)),
            length => self.charge(length)?,
        }
        self.make(name, Body::Symlink(entry.link.as_slice().into()), entry).map(drop)
    }

    fn node(&mut self, name: &Name, entry: &Entry) -> Step<()> {
        let body = match entry.kind {
            Kind::CharDevice => Body::CharDevice(device(entry.device)),
            Kind::BlockDevice => Body::BlockDevice(device(entry.device)),
            _ => Body::Fifo,
        };
        self.make(name, body, entry).map(drop)
    }

    fn hard_link(&mut self, name: &Name, target: &Name, missing: &dyn Fn() -> UnpackError) -> Step<()> {
        if name == target {
            return Ok(());
        }
        let from = self.resolve(target.parent()).map_err(|_| missing())?;
        let id = self.child(from, target.base()).ok_or_else(missing)?;
        if self.is_whiteout(id) || self.as_directory(id).is_some() {
            return Err(missing());
        }
        let parent = self.parent(name.parent())?;
        self.remove(parent, name.base());
        // What was there may have been the target, or what it lay in.
        if self.child(from, target.base()) != Some(id) {
            return Err(failed("making the hard link", name.path())(Errno::NOENT));
        }
        self.link(parent, name.base(), id)
    }

    fn whiteout(&mut self, name: &Name, mark: &Entry) -> Step<()> {
        self.clock = mark.mtime;
        let parent = self.parent(name.parent())?;
        match self.child(parent, name.base()) {
            None => self.add(parent, name.base(), Body::CharDevice(0), 0).map(drop),
            // The layer has something of that name itself: it hides what is below, but for a directory's contents.
            Some(id) if self.as_directory(id).is_some() => self.set_opaque(id, name.path()),
            Some(_) => Ok(()),
        }
    }

    fn opaque(&mut self, directory: &[u8]) -> Step<()> {
        let id = self.parent(directory)?;
        self.set_opaque(id, directory)
    }
}
