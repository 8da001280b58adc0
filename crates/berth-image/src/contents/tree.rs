//! Layers laid over each other, as overlay does it.

use std::collections::{BTreeMap, HashMap};

use berth_oci::Digest;

use super::layer::{Attributes, Item, What};

/// What is seen after some layers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    /// By path, without the root.
    pub(crate) nodes: BTreeMap<Vec<u8>, Node>,
    /// The files of all layers, seen or not; a file of several names is one.
    pub(crate) files: Vec<File>,
}

/// A name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Of the layer that it is from.
    pub(crate) layer: usize,
    pub(crate) is: Is,
    pub(crate) attributes: Attributes,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Is {
    /// This one of the files.
    File(usize),
    Symlink(Vec<u8>),
    Directory,
    Device {
        block: bool,
        number: (u32, u32),
    },
    Fifo,
}

/// A file's bytes in one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) layer: usize,
    /// The first of its names.
    pub(crate) path: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) content: Digest,
    /// How many names it is seen by.
    names: usize,
    pub(crate) lost: Option<Lost>,
}

/// Why a file's bytes are seen no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    /// In which layer.
    pub(crate) layer: usize,
    pub(crate) how: How,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Something else has its name.
    Overwritten,
    /// It, or a directory above it, was removed.
    Deleted,
}

/// What a layer did to what was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) added: usize,
    pub(crate) changed: usize,
    pub(crate) removed: usize,
}

impl Tree {
    /// Bytes of the files that are seen.
    pub(crate) fn seen(&self) -> u64 {
        self.files.iter().filter(|file| file.lost.is_none()).map(|file| file.size).sum()
    }

    /// Lays one more layer over the others.
    pub(crate) fn lay(&mut self, layer: usize, items: Vec<Item>) -> Done {
        let mut done = Done::default();
        // What a layer removes is of the layers below it, wherever in its archive it says so.
        for item in &items {
            done.removed += match item.what {
                What::Whiteout => self.remove(&item.path, layer, How::Deleted),
                What::Opaque => self.remove_below(&item.path, layer, How::Deleted),
                _ => 0,
            };
        }
        let mut own = HashMap::new();
        for item in items {
            self.one(layer, item, &mut own, &mut done);
        }
        done
    }

    /// `own`: the files of this layer by their names, those that were overwritten in it included.
    fn one(&mut self, layer: usize, item: Item, own: &mut HashMap<Vec<u8>, usize>, done: &mut Done) {
        if item.path.is_empty() {
            return;
        }
        self.imply(layer, &item.path);
        let is = match item.what {
            What::Whiteout => return,
            // A mark is in a directory, whether that has an entry of its own or not.
            What::Opaque => return self.imply(layer, &[&item.path, &b"/"[..]].concat()),
            What::File { size, content } => {
                let path = item.path.clone();
                self.files.push(File { layer, path, size, content, names: 1, lost: None });
                Is::File(self.files.len() - 1)
            }
            What::HardLink(target) => match own.get(&target).copied().or_else(|| self.file_at(&target)) {
                Some(file) => {
                    self.files[file].names += 1;
                    self.files[file].lost = None;
                    Is::File(file)
                }
                // A link to nothing, or to what is no file.
                None => match self.nodes.get(&target) {
                    Some(node) => node.is.clone(),
                    None => return,
                },
            },
            What::Symlink(target) => Is::Symlink(target),
            What::Directory => Is::Directory,
            What::Device { block, number } => Is::Device { block, number },
            What::Fifo => Is::Fifo,
        };
        if let Is::File(file) = is {
            own.insert(item.path.clone(), file);
        }
        let both_directories = |old: &Node| old.is == Is::Directory && is == Is::Directory;
        match self.nodes.get(&item.path) {
            None => done.added += 1,
            Some(old) => {
                done.changed += usize::from(old.layer != layer);
                if !both_directories(old) {
                    self.remove(&item.path, layer, How::Overwritten);
                }
            }
        }
        self.nodes.insert(item.path, Node { layer, is, attributes: item.attributes });
    }

    /// The directories above a path that no entry makes: they are made all the same.
    fn imply(&mut self, layer: usize, path: &[u8]) {
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        for end in slashes {
            if !self.nodes.contains_key(&path[..end]) {
                let attributes = Attributes { mode: 0o755, ..Attributes::default() };
                self.nodes.insert(path[..end].to_vec(), Node { layer, is: Is::Directory, attributes });
            }
        }
    }

    fn file_at(&self, path: &[u8]) -> Option<usize> {
        match self.nodes.get(path)?.is {
            Is::File(file) => Some(file),
            _ => None,
        }
    }

    /// Removes a path and everything below it; tells how many names went.
    fn remove(&mut self, path: &[u8], layer: usize, how: How) -> usize {
        let below = self.remove_below(path, layer, if how == How::Overwritten { How::Deleted } else { how });
        match self.nodes.remove(path) {
            Some(node) => {
                self.lose(&node, layer, how);
                below + 1
            }
            None => below,
        }
    }

    fn remove_below(&mut self, path: &[u8], layer: usize, how: How) -> usize {
        let gone: Vec<Vec<u8>> = match path {
            b"" => self.nodes.keys().cloned().collect(),
            // In order, `/` is followed by `0`.
            path => {
                self.nodes.range([path, b"/"].concat()..[path, b"0"].concat()).map(|(path, _)| path.clone()).collect()
            }
        };
        for path in &gone {
            if let Some(node) = self.nodes.remove(path) {
                self.lose(&node, layer, how);
            }
        }
        gone.len()
    }

    fn lose(&mut self, node: &Node, layer: usize, how: How) {
        let Is::File(file) = node.is else { return };
        let file = &mut self.files[file];
        file.names -= 1;
        if file.names == 0 {
            file.lost = Some(Lost { layer, how });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(path: &str, what: What) -> Item {
        Item { path: path.into(), what, attributes: Attributes::default() }
    }

    fn file(path: &str, text: &str) -> Item {
        item(path, What::File { size: text.len() as u64, content: Digest::of(text.as_bytes()) })
    }

    fn seen(tree: &Tree) -> Vec<String> {
        tree.nodes.keys().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
    }

    fn lost(tree: &Tree) -> Vec<(&str, usize, How)> {
        let lost = tree.files.iter().filter_map(|file| file.lost.map(|lost| (file, lost)));
        lost.map(|(file, lost)| (std::str::from_utf8(&file.path).unwrap_or("?"), lost.layer, lost.how)).collect()
    }

    #[test]
    fn layers_hide_and_replace() {
        let mut tree = Tree::default();
        let base = vec![
            item("d", What::Directory),
            file("d/a", "aaa"),
            file("d/b", "bb"),
            file("d-e", "x"),
            file("d0", "y"),
            item("o", What::Directory),
            file("o/old", "old"),
            file("f", "f"),
        ];
        assert_eq!(tree.lay(0, base), Done { added: 8, changed: 0, removed: 0 });
        let above = vec![
            // Its own files do not go by its own marks, in whatever order they come.
            item("o", What::Directory),
            file("o/new", "new"),
            item("o", What::Opaque),
            item("d/a", What::Whiteout),
            file("f", "ff"),
        ];
        assert_eq!(tree.lay(1, above), Done { added: 1, changed: 2, removed: 2 });
        assert_eq!(seen(&tree), ["d", "d-e", "d/b", "d0", "f", "o", "o/new"]);
        assert_eq!(lost(&tree), [("d/a", 1, How::Deleted), ("o/old", 1, How::Deleted), ("f", 1, How::Overwritten)]);
        // A file where a directory was.
        tree.lay(2, vec![file("d", "")]);
        assert_eq!(seen(&tree), ["d", "d-e", "d0", "f", "o", "o/new"]);
        assert_eq!(tree.lay(3, vec![item("", What::Opaque)]).removed, 6);
        assert!(tree.nodes.is_empty() && tree.files.iter().all(|file| file.lost.is_some()));
    }

    #[test]
    fn a_file_is_lost_with_its_last_name() {
        let mut tree = Tree::default();
        tree.lay(
            0,
            vec![file("a", "text"), item("b", What::HardLink("a".into())), item("c", What::HardLink("b".into()))],
        );
        assert_eq!(tree.files.len(), 1);
        tree.lay(1, vec![item("a", What::Whiteout)]);
        assert!(lost(&tree).is_empty());
        tree.lay(2, vec![item("b", What::Whiteout), file("c", "other")]);
        assert_eq!(lost(&tree), [("a", 2, How::Overwritten)]);
    }

    #[test]
    fn directories_without_entries_are_there() {
        let mut tree = Tree::default();
        let items = vec![file("a/b/c", "x"), item("d/gone", What::Whiteout), item("e/f", What::Opaque)];
        assert_eq!(tree.lay(0, items).added, 1);
        assert_eq!(seen(&tree), ["a", "a/b", "a/b/c", "d", "e", "e/f"]);
        assert_eq!(tree.nodes[&b"a/b"[..]].attributes.mode, 0o755);
    }

    #[test]
    fn a_link_to_what_is_not_there_is_nothing() {
        let mut tree = Tree::default();
        tree.lay(0, vec![item("b", What::HardLink("a".into()))]);
        assert!(tree.nodes.is_empty());
    }
}
