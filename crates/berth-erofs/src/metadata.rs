//! Writing inodes, directories and links to their places, in order and in large pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::expand::Expanded;
use crate::format::{BLOCK, DIRENT, Data, Inode, dirent};
use crate::layout::{Layout, blocks, listing};
use crate::tree::{Body, Id, Tree};
use crate::xattrs;

/// Bytes written at once.
const PIECE: usize = 256 << 10;

/// Writes all metadata from `start` on, a whole number of blocks.
pub(crate) fn write(file: &File, start: u64, tree: &Tree, layout: &Layout, expanded: &Expanded) -> io::Result<()> {
    let first_block = (start + layout.inodes) / BLOCK;
    let mut out = Out { file, start, buffer: Vec::with_capacity(PIECE + PIECE / 4) };
    for (index, &id) in layout.order.iter().enumerate() {
        let place = layout.place(id);
        out.pad(start + place.at)?;
        out.buffer.extend_from_slice(&inode(tree, layout, expanded, id, first_block).encode(index as u32 + 1));
        xattrs::encode(&tree.inode(id).xattrs, &mut out.buffer);
        if place.block.is_none() {
            content(tree, layout, id, &mut out.buffer);
        }
    }
    out.pad(start + layout.inodes)?;
    for &id in &layout.order {
        if let Some(block) = layout.place(id).block {
            out.pad((first_block + u64::from(block)) * BLOCK)?;
            content(tree, layout, id, &mut out.buffer);
        }
    }
    out.pad((first_block + layout.blocks) * BLOCK)?;
    out.flush()
}

fn inode(tree: &Tree, layout: &Layout, expanded: &Expanded, id: Id, first_block: u64) -> Inode {
    let (node, place) = (tree.inode(id), layout.place(id));
    let (size, data) = match &node.body {
        Body::File { at, size } => (*size, Data::Flat((at / BLOCK) as u32)),
        Body::Sparse(sparse) => (sparse.size, Data::Flat((expanded.place(id) / BLOCK) as u32)),
        Body::CharDevice(device) | Body::BlockDevice(device) => (0, Data::Device(*device)),
        Body::Fifo => (0, Data::Device(0)),
        Body::Directory(_) | Body::Symlink(_) => {
            let data = place.block.map_or(Data::Inline, |block| Data::Flat((first_block + u64::from(block)) as u32));
            (place.size, data)
        }
    };
    Inode {
        kind: node.body.kind(),
        mode: node.mode,
        uid: node.uid,
        gid: node.gid,
        mtime: node.mtime,
        links: place.links,
        size,
        data,
        xattrs: place.xattrs,
    }
}

/// A directory's blocks, or where a link points.
fn content(tree: &Tree, layout: &Layout, id: Id, out: &mut Vec<u8>) {
    match &tree.inode(id).body {
        Body::Symlink(target) => out.extend_from_slice(target),
        Body::Directory(_) => {
            let listing = listing(tree, id);
            let mut end = out.len();
            for block in blocks(&listing) {
                // Every block but the last is filled up.
                out.resize(end, 0);
                end += BLOCK as usize;
                names(tree, layout, block, out);
            }
        }
        _ => {}
    }
}

fn names(tree: &Tree, layout: &Layout, block: &[(&[u8], Id)], out: &mut Vec<u8>) {
    let mut name_at = block.len() * DIRENT;
    for &(name, id) in block {
        out.extend_from_slice(&dirent(layout.place(id).number(), name_at as u16, tree.inode(id).body.kind()));
        name_at += name.len();
    }
    for (name, _) in block {
        out.extend_from_slice(name);
    }
}

/// Bytes on their way to consecutive places of a file.
struct Out<'f> {
    file: &'f File,
    /// Where the buffer belongs.
    start: u64,
    buffer: Vec<u8>,
}

impl Out<'_> {
    /// Zeros up to a place that lies behind.
    fn pad(&mut self, to: u64) -> io::Result<()> {
        let length = (to - self.start) as usize;
        debug_assert!(length >= self.buffer.len(), "places are in order");
        self.buffer.resize(length, 0);
        if self.buffer.len() >= PIECE { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.start)?;
        self.start += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}
