//! What a program sees of a tree, one line a file.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{lgetxattr, llistxattr};

/// Everything about a file that a layer carries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    path: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
    /// `None`: the archive does not say.
    mtime: Option<(i64, i64)>,
    device: u64,
    links: u64,
    size: u64,
    /// The first name of the same file.
    same_as: Vec<u8>,
    content: Vec<u8>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Seen {
    /// The same, but for what no archive says: the time of a directory that is not listed, or of a mark of absence,
    /// and its group, which the directory's files inherit where it is `setgid`.
    pub(crate) fn is_as(&self, directory: &Self) -> bool {
        match directory.mtime {
            Some(_) => self == directory,
            None => Self { mtime: None, owner: directory.owner, ..self.clone() } == *directory,
        }
    }
}

/// Sorted by name.
pub(crate) fn tree(root: &Path) -> Vec<Seen> {
    let mut look = Look { seen: Vec::new(), names: HashMap::new() };
    look.at(root, b"");
    look.seen
}

struct Look {
    seen: Vec<Seen>,
    names: HashMap<u64, Vec<u8>>,
}

impl Look {
    fn at(&mut self, path: &Path, relative: &[u8]) {
        let meta = std::fs::symlink_metadata(path).unwrap();
        let kind = meta.file_type();
        let content = match () {
            () if kind.is_symlink() => std::fs::read_link(path).unwrap().as_os_str().as_bytes().to_vec(),
            () if kind.is_file() && meta.len() < 64 << 20 => std::fs::read(path).unwrap(),
            () => Vec::new(),
        };
        self.seen.push(Seen {
            path: relative.to_vec(),
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            mtime: (meta.mtime() < YOUNG).then(|| (meta.mtime(), meta.mtime_nsec())),
            device: meta.rdev(),
            links: meta.nlink(),
            size: if kind.is_dir() { 0 } else { meta.len() },
            same_as: self.names.entry(meta.ino()).or_insert_with(|| relative.to_vec()).clone(),
            content,
            xattrs: xattrs(path),
        });
        if !kind.is_dir() {
            return;
        }
        let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for name in names {
            let relative =
                if relative.is_empty() { name.as_bytes().to_vec() } else { [relative, b"/", name.as_bytes()].concat() };
            self.at(&path.join(&name), &relative);
        }
    }
}

/// Younger than any time in the archives: a directory that no archive lists, made just now.
pub(crate) const YOUNG: i64 = 1_750_000_000;

fn xattrs(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut list = vec![0; 65536];
    let length = llistxattr(path, &mut list[..]).unwrap();
    let names = list[..length].split(|&b| b == 0).filter(|name| !name.is_empty());
    let mut xattrs: Vec<_> = names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = lgetxattr(path, name, &mut value[..]).unwrap();
            (name.to_vec(), value[..length].to_vec())
        })
        .collect();
    xattrs.sort();
    xattrs
}
