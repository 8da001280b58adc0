//! Sparse files: of their data the archive has pieces, one after another; the image has them where they belong.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::format::BLOCK;
use crate::tape::copy;
use crate::tree::{Body, Id, Sparse, Tree};

/// Bytes copied at once.
const PIECE: usize = 256 << 10;

/// Where expanded files are.
#[derive(Debug)]
pub(crate) struct Expanded {
    places: HashMap<Id, u64>,
    /// Behind the last of them.
    pub(crate) end: u64,
}

impl Expanded {
    /// Gives each a place, from `start` on. Nothing is written: what is refused costs nothing.
    pub(crate) fn plan(tree: &Tree, start: u64) -> Option<Self> {
        let mut expanded = Self { places: HashMap::new(), end: start };
        for (id, sparse) in sparse_files(tree) {
            expanded.places.insert(id, expanded.end);
            expanded.end = expanded.end.checked_add(sparse.size.checked_next_multiple_of(BLOCK)?)?;
        }
        Some(expanded)
    }

    pub(crate) fn place(&self, id: Id) -> u64 {
        self.places.get(&id).copied().unwrap_or(0)
    }

    /// Copies the pieces; between them are holes, which take no room.
    pub(crate) fn write(&self, tree: &Tree, file: &File) -> io::Result<()> {
        let mut buffer = Vec::new();
        for (id, sparse) in sparse_files(tree) {
            let mut from = sparse.at;
            for &(offset, length) in &sparse.segments {
                move_bytes(file, from, self.place(id) + offset, length, &mut buffer)?;
                from += length;
            }
        }
        Ok(())
    }
}

/// Those that have names, in the archive's order.
fn sparse_files(tree: &Tree) -> impl Iterator<Item = (Id, &Sparse)> {
    tree.nodes.iter().enumerate().filter_map(|(id, node)| match &node.body {
        Body::Sparse(sparse) if node.links > 0 => Some((id as Id, &**sparse)),
        _ => None,
    })
}

fn move_bytes(file: &File, from: u64, to: u64, length: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        buffer.resize((length - done).min(PIECE as u64) as usize, 0);
        file.read_exact_at(buffer, from + done)?;
        copy(file, buffer, to + done)?;
        done += buffer.len() as u64;
    }
    Ok(())
}
