//! Putting an archive's files into a tree that is in use, as `docker cp` does: nothing is taken for granted about what
//! lies there, and what lies there may change at any moment.

use std::io::BufRead;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;

use super::path::{self, Name};
use super::tree::Tree;
use super::{Owner, UnpackError, lossy};
use crate::{Entry, Kind, Reader};

/// Where the files go.
#[derive(Debug)]
pub struct Target {
    /// The root, open for reading: no link leads out of it.
    pub root: OwnedFd,
    /// The directory below it; empty: the root itself.
    pub directory: Vec<u8>,
    /// What the archive's first component becomes; where it is `.` or `/`, this stands before it.
    pub rename: Option<Vec<u8>>,
}

/// How the files are made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Whose they are.
    pub owner: Owner,
    /// A directory is not replaced by anything else, nor anything else by a directory.
    pub keep_kind: bool,
}

/// Extracts `archive` and reads the stream to its end.
///
/// # Errors
/// What is wrong with the archive, or what the kernel refused. What was extracted before stays.
pub fn extract(archive: impl BufRead, target: Target, rules: Rules) -> Result<(), UnpackError> {
    let mut reader = Reader::new(archive);
    let mut tree = Tree::within(target.root, rules.owner);
    let mut names = Names { directory: target.directory, rename: target.rename, first: None };
    while let Some(entry) = reader.next()? {
        let Some(name) = names.place(&entry.path)? else { continue };
        if rules.keep_kind {
            keep_kind(&mut tree, &name, &entry, &names.directory)?;
        }
        put(&mut tree, &mut reader, &entry, &name, &names)?;
    }
    reader.finish()?;
    tree.finish()
}

fn put(
    tree: &mut Tree,
    reader: &mut Reader<impl BufRead>,
    entry: &Entry,
    name: &Name,
    names: &Names,
) -> Result<(), UnpackError> {
    match entry.kind {
        Kind::Directory => tree.directory(name, entry),
        Kind::File => tree.file(name, entry, reader),
        Kind::HardLink => {
            let missing = || UnpackError::LinkTarget { link: lossy(&entry.path), target: lossy(&entry.link) };
            let target = names.known(&entry.link)?.ok_or_else(missing)?;
            tree.hard_link(name, &target, missing)
        }
        Kind::Symlink => tree.symlink(name, entry),
        Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => tree.node(name, entry),
    }
}

fn keep_kind(tree: &mut Tree, name: &Name, entry: &Entry, directory: &[u8]) -> Result<(), UnpackError> {
    let Some(there) = tree.there(name)? else { return Ok(()) };
    let (old, new) = (there == FileType::Directory, entry.kind == Kind::Directory);
    let texts = || (format!("/{}", lossy(name.path())), format!("/{}", lossy(directory)));
    match (old, new) {
        (true, false) => Err(texts()).map_err(|(path, into)| UnpackError::OverDirectory(path, into)),
        (false, true) => Err(texts()).map_err(|(path, into)| UnpackError::OverFile(path, into)),
        _ => Ok(()),
    }
}

/// From an archive's names to places below the root.
struct Names {
    directory: Vec<u8>,
    rename: Option<Vec<u8>>,
    /// Whether the archive has everything below one name; known from its first entry.
    first: Option<bool>,
}

impl Names {
    /// `None`: the target directory itself, which stays as it is.
    fn place(&mut self, raw: &[u8]) -> Result<Option<Name>, UnpackError> {
        if self.first.is_none() {
            self.first = Some(clean(raw)?.is_some());
        }
        self.known(raw)
    }

    fn known(&self, raw: &[u8]) -> Result<Option<Name>, UnpackError> {
        let bad = |bad: path::BadPath| UnpackError::Path(lossy(raw), bad);
        let name = clean(raw)?;
        let path = name.as_ref().map_or(&b""[..], Name::path);
        let renamed = match (&self.rename, self.first) {
            (Some(new), Some(true)) => {
                let rest = path.iter().position(|&b| b == b'/').map_or(&b""[..], |slash| &path[slash..]);
                [new, rest].concat()
            }
            (Some(new), _) => [new, &b"/"[..], path].concat(),
            (None, _) if name.is_none() => return Ok(None),
            (None, _) => path.to_vec(),
        };
        Name::parse(&[&self.directory, &b"/"[..], &renamed].concat()).map_err(bad)
    }
}

fn clean(raw: &[u8]) -> Result<Option<Name>, UnpackError> {
    Name::parse(raw).map_err(|bad| UnpackError::Path(lossy(raw), bad))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::pack::{Packing, Take, pack};
    use crate::{Stream, Writer};
    use std::os::fd::AsFd;

    fn archive(directory: &Path, base: &str, name: &str) -> Vec<u8> {
        let mut writer = Writer::new(Stream(Vec::new()));
        let packing = Packing { name: name.as_bytes(), overlay: false, choose: &mut |_| Take::Whole };
        pack(File::open(directory).unwrap().as_fd(), base.as_bytes(), packing, &mut writer).unwrap();
        writer.finish().unwrap().0
    }

    fn target(root: &Path, directory: &str, rename: Option<&str>) -> Target {
        Target {
            root: File::open(root).unwrap().into(),
            directory: directory.into(),
            rename: rename.map(|name| name.as_bytes().to_vec()),
        }
    }

    const OURS: Rules = Rules { owner: Owner::Ours, keep_kind: true };

    fn tree() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir_all(path.join("d/e")).unwrap();
        fs::write(path.join("d/f"), "one").unwrap();
        fs::hard_link(path.join("d/f"), path.join("d/g")).unwrap();
        fs::write(path.join("d/e").join("n".repeat(200)), vec![7; 700_000]).unwrap();
        symlink("/nowhere", path.join("d/l")).unwrap();
        directory
    }

    #[test]
    fn a_tree_comes_out_as_it_went_in() {
        let (from, to) = (tree(), tempfile::tempdir().unwrap());
        for (name, rename, at) in
            [("d", None, "d"), ("d", Some("x"), "x"), (".", Some("y"), "y"), ("/", Some("z"), "z")]
        {
            extract(&archive(from.path(), "d", name)[..], target(to.path(), "", rename), OURS).unwrap();
            let made = to.path().join(at);
            assert_eq!(fs::read(made.join("g")).unwrap(), b"one");
            assert_eq!(fs::read(made.join("e").join("n".repeat(200))).unwrap(), vec![7; 700_000]);
            assert_eq!(fs::read_link(made.join("l")).unwrap(), Path::new("/nowhere"));
        }
        extract(&archive(from.path(), "d", ".")[..], target(to.path(), "x/e", None), OURS).unwrap();
        assert_eq!(fs::read(to.path().join("x/e/f")).unwrap(), b"one");
    }

    /// Whoever has the old file open keeps it as it was; its place is taken by another one.
    #[test]
    fn large_files_are_replaced_not_overwritten() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (new, old) = (vec![8_u8; 9 << 20], vec![7_u8; 6 << 20]);
        fs::write(from.path().join("f"), &new).unwrap();
        let archive = archive(from.path(), "f", "f");
        for _ in 0..3 {
            let path = to.path().join("f");
            drop(fs::remove_file(&path));
            fs::write(&path, &old).unwrap();
            let mut held = File::open(&path).unwrap();
            extract(std::io::BufReader::with_capacity(100_000, &archive[..]), target(to.path(), "", None), OURS)
                .unwrap();
            assert!(fs::read(&path).unwrap() == new);
            let mut kept = Vec::new();
            std::io::Read::read_to_end(&mut held, &mut kept).unwrap();
            assert!(kept == old);
        }
    }

    #[test]
    fn kinds_are_kept() {
        let (from, to) = (tree(), tempfile::tempdir().unwrap());
        fs::write(to.path().join("d"), "").unwrap();
        let refused = extract(&archive(from.path(), "d", "d")[..], target(to.path(), "", None), OURS).unwrap_err();
        assert_eq!(refused.to_string(), "cannot overwrite non-directory \"/d\" with directory \"/\"");
        fs::create_dir(to.path().join("f")).unwrap();
        let file = archive(&from.path().join("d"), "f", "f");
        let refused = extract(&file[..], target(to.path(), "", None), OURS).unwrap_err();
        assert_eq!(refused.to_string(), "cannot overwrite directory \"/f\" with non-directory \"/\"");
        extract(&file[..], target(to.path(), "", None), Rules { keep_kind: false, ..OURS }).unwrap();
        assert_eq!(fs::read(to.path().join("f")).unwrap(), b"one");
    }

    #[test]
    fn links_lead_nowhere_but_inside() {
        let (from, to, outside) = (tree(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink(outside.path(), to.path().join("d")).unwrap();
        symlink("../../../../../../../../etc", to.path().join("up")).unwrap();
        for directory in ["d", "up"] {
            let done = extract(&archive(from.path(), "d", ".")[..], target(to.path(), directory, None), OURS);
            assert!(done.is_err() || to.path().join("etc").exists(), "{done:?}");
        }
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    /// Somebody inside swaps a directory for a link to the outside as fast as he can.
    #[test]
    fn swapped_links_lead_nowhere() {
        let (from, to, outside) = (tree(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let (root, out, ended) = (to.path().to_owned(), outside.path().to_owned(), stop.clone());
        fs::write(out.join("secret"), "secret").unwrap();
        fs::create_dir(root.join("real")).unwrap();
        symlink(&out, root.join("link")).unwrap();
        let swapper = std::thread::spawn(move || {
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !ended.load(Ordering::Relaxed) {
                let cwd = rustix::fs::CWD;
                let _ = rustix::fs::renameat_with(cwd, root.join("real"), cwd, root.join("link"), exchange);
            }
        });
        let bytes = archive(from.path(), "d", ".");
        for _ in 0..300 {
            drop(extract(&bytes[..], target(to.path(), "real/deep", None), Rules { keep_kind: false, ..OURS }));
            let mut writer = Writer::new(Stream(Vec::new()));
            let packing = Packing { name: b"", overlay: false, choose: &mut |_| Take::Whole };
            drop(pack(File::open(to.path()).unwrap().as_fd(), b"", packing, &mut writer));
            let seen = writer.finish().unwrap().0;
            assert!(!seen.windows(7).any(|w| w == b"secret\0"), "what lies outside was archived");
        }
        stop.store(true, Ordering::Relaxed);
        swapper.join().unwrap();
        let left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["secret"], "something was written outside");
    }
}
