//! A place for everything: inodes one after another from the metadata's begin, a directory's together; behind them, in
//! blocks of their own, the directories and links that do not fit behind their inodes.

use std::collections::VecDeque;

use crate::format::{BLOCK, DIRENT, INODE, number};
use crate::tree::{Body, Id, ROOT, Tree};
use crate::xattrs;

/// Inodes never cross a block's end, and no inode has the number 0, which some readers of directories pass over.
const FIRST: u64 = INODE;

/// Where an inode and what belongs to it are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// Bytes behind the metadata's begin; 0: nowhere, it is no more.
    pub(crate) at: u64,
    /// Bytes of attributes behind it.
    pub(crate) xattrs: u64,
    /// Bytes of a directory or link.
    pub(crate) size: u64,
    /// The block of a directory or link, counted from the first behind the inodes; `None`: it is behind the inode.
    pub(crate) block: Option<u32>,
    /// Of a directory: names that lead to it, and itself.
    pub(crate) links: u32,
}

impl Place {
    pub(crate) fn number(&self) -> u64 {
        number(self.at)
    }
}

/// All places.
#[derive(Debug)]
pub(crate) struct Layout {
    places: Vec<Place>,
    /// Inodes in the order of their places.
    pub(crate) order: Vec<Id>,
    /// Bytes of inodes, a whole number of blocks.
    pub(crate) inodes: u64,
    /// Blocks behind them.
    pub(crate) blocks: u64,
}

impl Layout {
    pub(crate) fn of(tree: &Tree) -> Self {
        let places = vec![Place::default(); tree.nodes.len()];
        let mut layout = Self { places, order: Vec::new(), inodes: FIRST, blocks: 0 };
        layout.put(tree, ROOT);
        let mut directories = VecDeque::from([ROOT]);
        while let Some(directory) = directories.pop_front().and_then(|id| tree.as_directory(id)) {
            for &id in directory.entries.values() {
                // A file of several names has its place already.
                if layout.places[id as usize].at == 0 {
                    layout.put(tree, id);
                }
                if tree.as_directory(id).is_some() {
                    directories.push_back(id);
                }
            }
        }
        layout.inodes = layout.inodes.next_multiple_of(BLOCK);
        layout
    }

    pub(crate) fn place(&self, id: Id) -> &Place {
        &self.places[id as usize]
    }

    fn put(&mut self, tree: &Tree, id: Id) {
        let node = tree.inode(id);
        let (size, links) = match &node.body {
            Body::Directory(directory) => {
                let inner = directory.entries.values().filter(|&&id| tree.as_directory(id).is_some()).count();
                (size(&listing(tree, id)), 2 + inner as u32)
            }
            Body::Symlink(target) => (target.len() as u64, node.links),
            _ => (0, node.links),
        };
        let xattrs = xattrs::length(&node.xattrs);
        let head = INODE + xattrs;
        let at = self.inodes.next_multiple_of(INODE);
        let block = at.next_multiple_of(BLOCK);
        let fits = |at: u64| size < BLOCK && (at + head) % BLOCK + size <= BLOCK;
        let (at, end, block) = match size {
            0 => (at, at + head, None),
            _ if fits(at) => (at, at + head + size, None),
            _ if fits(block) => (block, block + head + size, None),
            _ => {
                let first = self.blocks as u32;
                self.blocks += size.div_ceil(BLOCK);
                (at, at + head, Some(first))
            }
        };
        self.inodes = end;
        self.order.push(id);
        self.places[id as usize] = Place { at, xattrs, size, block, links };
    }
}

/// A directory's names as the kernel searches them: sorted as bytes, itself and the one above among them.
pub(crate) fn listing(tree: &Tree, id: Id) -> Vec<(&[u8], Id)> {
    let Some(directory) = tree.as_directory(id) else { return Vec::new() };
    let entries = directory.entries.iter().map(|(name, &id)| (&**name, id));
    let mut listing: Vec<(&[u8], Id)> = entries.chain([(&b"."[..], id), (&b".."[..], directory.parent)]).collect();
    listing.sort_unstable_by_key(|(name, _)| *name);
    listing
}

/// A directory's blocks: each as many entries as it has room for, with their names.
pub(crate) fn blocks<'l, 't>(listing: &'l [(&'t [u8], Id)]) -> impl Iterator<Item = &'l [(&'t [u8], Id)]> {
    let mut rest = listing;
    std::iter::from_fn(move || {
        let mut room = BLOCK as usize;
        let fits = rest.iter().take_while(|(name, _)| match room.checked_sub(DIRENT + name.len()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        });
        let count = fits.count();
        let (block, others) = rest.split_at(count);
        rest = others;
        (count > 0).then_some(block)
    })
}

/// Bytes of a directory: whole blocks, and of the last what it takes.
fn size(listing: &[(&[u8], Id)]) -> u64 {
    let used = |block: &[(&[u8], Id)]| block.iter().map(|(name, _)| (DIRENT + name.len()) as u64).sum::<u64>();
    let (count, last) = blocks(listing).fold((0, 0), |(count, _), block| (count + 1, used(block)));
    (count - 1) * BLOCK + last
}
