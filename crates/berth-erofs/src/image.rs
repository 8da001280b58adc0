//! The image as a whole.

use std::fs::File;
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt;

use berth_archive::{ArchiveError, Limits, Reader, UnpackError, Unpacked, build};
use rustix::io::Errno;

use crate::expand::Expanded;
use crate::format::{BLOCK, SUPERBLOCK_AT, Superblock};
use crate::layout::Layout;
use crate::metadata;
use crate::tape::Tape;
use crate::tree::{ROOT, Tree, failed};

/// Where in an image its archive begins.
pub const ARCHIVE_START: u64 = 4096;

/// What comes behind the archive begins at a multiple of this, and the image ends at one: loop devices of any sector
/// size can carry it.
const ALIGNMENT: u64 = 4096;

/// By what the kernel tells one image from another: two with the same must not meet in one stack.
pub type Identity = [u8; 16];

/// An image that is whole but for its superblock.
#[derive(Debug)]
pub struct Image {
    archive: u64,
    unpacked: Unpacked,
    superblock: Superblock,
}

impl Image {
    /// Makes the image of a layer's archive in `file`, which is empty and open for reading and writing; reads the
    /// archive to its end.
    ///
    /// # Errors
    /// What is wrong with the layer, or why the file takes no more.
    pub fn write(archive: impl BufRead, file: &File, limits: Limits) -> Result<Self, UnpackError> {
        let mut reader = Reader::new(Tape::new(archive, file, ARCHIVE_START));
        let mut tree = Tree::new();
        let unpacked = build(&mut reader, &mut tree, limits)?;
        // What follows the end mark counts in the layer's digest too.
        let tape = reader.input();
        tape.skip(u64::MAX).map_err(ArchiveError::from)?;
        let archive = tape.position();
        let superblock = complete(&tree, file, ARCHIVE_START + archive)?;
        Ok(Self { archive, unpacked, superblock })
    }

    /// Bytes of the archive, which is verbatim from [`ARCHIVE_START`] on.
    #[must_use]
    pub fn archive(&self) -> u64 {
        self.archive
    }

    /// What the archive made.
    #[must_use]
    pub fn unpacked(&self) -> Unpacked {
        self.unpacked
    }

    /// Writes the superblock: from now on it can be mounted. Making it durable is the caller's.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn seal(&self, file: &File, identity: Identity) -> io::Result<()> {
        file.write_all_at(&self.superblock.encode(identity), SUPERBLOCK_AT)
    }
}

/// Everything behind the archive.
fn complete(tree: &Tree, file: &File, end_of_archive: u64) -> Result<Superblock, UnpackError> {
    let refused = || failed("writing", b"the layer's image");
    let written = |e: io::Error| refused()(Errno::from_io_error(&e).unwrap_or(Errno::IO));
    let layout = Layout::of(tree);
    let expanded = end_of_archive.checked_next_multiple_of(ALIGNMENT).and_then(|start| Expanded::plan(tree, start));
    let start = expanded.as_ref().and_then(|expanded| expanded.end.checked_next_multiple_of(ALIGNMENT));
    let end = start.and_then(|start| {
        let metadata = layout.inodes + layout.blocks * BLOCK;
        start.checked_add(metadata)?.checked_next_multiple_of(ALIGNMENT)
    });
    // Blocks are counted with 32 bits: 2 TiB.
    let blocks = end.and_then(|end| u32::try_from(end / BLOCK).ok());
    let (Some(expanded), Some(start), Some(end), Some(blocks)) = (expanded, start, end, blocks) else {
        return Err(refused()(Errno::FBIG));
    };
    // What a full disk or a file system of small files refuses is refused here, before anything is copied.
    file.set_len(end).map_err(written)?;
    expanded.write(tree, file).map_err(written)?;
    metadata::write(file, start, tree, &layout, &expanded).map_err(written)?;
    Ok(Superblock {
        root: layout.place(ROOT).number() as u16,
        inodes: layout.order.len() as u64,
        blocks,
        metadata: (start / BLOCK) as u32,
    })
}
