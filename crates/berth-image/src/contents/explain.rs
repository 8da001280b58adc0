//! `explain`: what an image's bytes are spent on.

use std::collections::{BTreeMap, HashMap};

use berth_oci::{DiffId, Digest};

use super::layer;
use super::tree::{Done, File, How, Is, Tree};
use crate::{Image, ImageStore, Result};

/// What an image's bytes are spent on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Its layers, bottom first.
    pub layers: Vec<ExplainedLayer>,
    /// Bytes of all files of all layers.
    pub total: u64,
    /// Bytes of the files that a container sees.
    pub seen: u64,
    /// The directories of what a container sees, with everything below them.
    pub directories: Vec<Directory>,
    /// Files that no container sees: later layers removed or replaced them.
    pub wasted: Vec<Wasted>,
    /// Files with the same bytes.
    pub duplicates: Vec<Duplicate>,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedLayer {
    /// The digest of its archive.
    pub diff_id: DiffId,
    /// The instruction that made it, where the image says.
    pub created_by: String,
    /// Bytes of its files.
    pub size: u64,
    /// Of these, bytes that later layers remove or replace.
    pub wasted: u64,
    /// How many files it has.
    pub files: usize,
    /// Names that were not there below.
    pub added: usize,
    /// Names that were.
    pub changed: usize,
    /// Names that it removed.
    pub removed: usize,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// From the root, `/` itself included.
    pub path: String,
    /// Bytes of the files below it.
    pub size: u64,
    /// How many files are below it.
    pub files: usize,
    /// Bytes by layer, bottom first.
    pub by_layer: Vec<u64>,
}

/// A file that no container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wasted {
    /// From the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The layer that has it.
    pub layer: usize,
    /// The layer that hides it.
    pub by: usize,
    /// What became of it.
    pub how: How,
}

/// Files with the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Bytes of each.
    pub size: u64,
    /// Of the bytes.
    pub content: Digest,
    /// Layer and path of each, bottom first.
    pub copies: Vec<(usize, String)>,
}

impl ImageStore {
    /// Reads all of an image's layers and tells what their bytes are spent on. Blocks, for as long as reading takes.
    ///
    /// # Errors
    /// The image is gone, or a layer cannot be read.
    pub fn explain(&self, image: &Image) -> Result<Explanation> {
        let (_lease, record) = self.inner.lease_image(&image.id)?;
        let mut tree = Tree::default();
        let mut done = Vec::with_capacity(record.layers.len());
        for (n, chain) in record.layers.iter().enumerate() {
            done.push(tree.lay(n, layer::read(&self.inner, chain)?));
        }
        let history = &record.config.history;
        let mut made = history.iter().filter(|step| !step.empty_layer).map(|step| step.created_by.clone());
        let layers = record.config.rootfs.diff_ids.iter().zip(&done).enumerate();
        let layers = layers.map(|(n, (diff_id, done))| one(n, diff_id, made.next().unwrap_or_default(), *done, &tree));
        Ok(Explanation {
            layers: layers.collect(),
            total: tree.files.iter().map(|file| file.size).sum(),
            seen: tree.seen(),
            directories: directories(&tree, done.len()),
            wasted: wasted(&tree),
            duplicates: duplicates(&tree),
        })
    }
}

fn one(n: usize, diff_id: &DiffId, created_by: String, done: Done, tree: &Tree) -> ExplainedLayer {
    let own = || tree.files.iter().filter(move |file| file.layer == n);
    ExplainedLayer {
        diff_id: diff_id.clone(),
        created_by,
        size: own().map(|file| file.size).sum(),
        wasted: own().filter(|file| file.lost.is_some()).map(|file| file.size).sum(),
        files: own().count(),
        added: done.added,
        changed: done.changed,
        removed: done.removed,
    }
}

/// A path as people write it; bytes that are no UTF-8 as replacement characters.
pub(crate) fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}

/// The largest first. A file of several names counts where its first one is.
fn directories(tree: &Tree, layers: usize) -> Vec<Directory> {
    let mut sums: BTreeMap<&[u8], Directory> = BTreeMap::new();
    let new = |path: &[u8]| Directory { path: shown(path), size: 0, files: 0, by_layer: vec![0; layers] };
    sums.insert(b"", new(b""));
    for (path, _) in tree.nodes.iter().filter(|(_, node)| node.is == Is::Directory) {
        sums.insert(path, new(path));
    }
    let mut counted = vec![false; tree.files.len()];
    for (path, node) in &tree.nodes {
        let Is::File(n) = node.is else { continue };
        if std::mem::replace(&mut counted[n], true) {
            continue;
        }
        let file = &tree.files[n];
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        for end in std::iter::once(0).chain(slashes) {
            let directory = sums.entry(&path[..end]).or_insert_with(|| new(&path[..end]));
            directory.size += file.size;
            directory.files += 1;
            directory.by_layer[file.layer] += file.size;
        }
    }
    let mut directories: Vec<Directory> = sums.into_values().collect();
    directories.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    directories
}

fn wasted(tree: &Tree) -> Vec<Wasted> {
    let one = |file: &File| {
        let lost = file.lost?;
        Some(Wasted { path: shown(&file.path), size: file.size, layer: file.layer, by: lost.layer, how: lost.how })
    };
    let mut wasted: Vec<Wasted> = tree.files.iter().filter_map(one).collect();
    wasted.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    wasted
}

/// Those that cost most first; empty files cost nothing.
fn duplicates(tree: &Tree) -> Vec<Duplicate> {
    let mut by_content: HashMap<&Digest, Vec<&File>> = HashMap::new();
    for file in tree.files.iter().filter(|file| file.size > 0) {
        by_content.entry(&file.content).or_default().push(file);
    }
    let several = by_content.into_iter().filter(|(_, files)| files.len() > 1);
    let mut duplicates: Vec<Duplicate> = several
        .map(|(content, files)| Duplicate {
            size: files[0].size,
            content: content.clone(),
            copies: files.iter().map(|file| (file.layer, shown(&file.path))).collect(),
        })
        .collect();
    let cost = |d: &Duplicate| d.size * (d.copies.len() as u64 - 1);
    duplicates.sort_by(|a, b| cost(b).cmp(&cost(a)).then_with(|| a.copies.cmp(&b.copies)));
    duplicates
}

#[cfg(test)]
mod tests {
    use super::super::layer::{Attributes, Item, What};
    use super::*;

    fn item(path: &str, what: What) -> Item {
        Item { path: path.into(), what, attributes: Attributes::default() }
    }

    fn file(path: &str, text: &str) -> Item {
        item(path, What::File { size: text.len() as u64, content: Digest::of(text.as_bytes()) })
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.lay(
            0,
            vec![
                item("d", What::Directory),
                file("d/a", "12345"),
                item("d/l", What::HardLink("d/a".into())),
                file("b", "xyz"),
            ],
        );
        tree.lay(1, vec![file("b", "xyz"), file("d/e/deep", "12345"), file("empty", "")]);
        tree
    }

    #[test]
    fn sums_by_directory() {
        let found = directories(&tree(), 2);
        let sums: Vec<(&str, u64, usize)> = found.iter().map(|d| (d.path.as_str(), d.size, d.files)).collect();
        assert_eq!(sums, [("/", 13, 4), ("/d", 10, 2), ("/d/e", 5, 1)]);
        assert_eq!(found[1].by_layer, [5, 5]);
    }

    #[test]
    fn what_is_wasted_and_what_is_there_twice() {
        let tree = tree();
        let wasted = wasted(&tree);
        assert_eq!(wasted, [Wasted { path: "/b".into(), size: 3, layer: 0, by: 1, how: How::Overwritten }]);
        let copies: Vec<Vec<(usize, String)>> = duplicates(&tree).into_iter().map(|d| d.copies).collect();
        assert_eq!(
            copies,
            [
                vec![(0, "/d/a".to_owned()), (1, "/d/e/deep".to_owned())],
                vec![(0, "/b".to_owned()), (1, "/b".to_owned())]
            ]
        );
    }
}
