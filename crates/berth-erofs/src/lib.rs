//! A layer as one file that the kernel mounts: the layer's archive, verbatim, and EROFS metadata over it.
//!
//! ```text
//! 0        the superblock's area: 4 KiB, the superblock at 1024
//! 4096     the archive (tar, uncompressed), byte for byte
//!          what sparse files are when expanded, as holes where they have holes
//!          metadata: inodes, then directories and long links
//! ```
//!
//! Blocks are 512 bytes, as in an archive, so that every regular file is flat where the archive has it. The image is
//! made in one pass while the archive streams, in memory that grows with names alone, and is no image until
//! [`Image::seal`] writes the superblock. The same archive gives the same image. What an archive means, and what of it
//! is refused, is `berth-archive`'s: the tree here answers as the kernel would for a directory being filled.
//!
//! The format is the kernel's `Documentation/filesystems/erofs.rst` and `fs/erofs/erofs_fs.h`; what of it is used can
//! be mounted since Linux 6.4. Start at [`Image::write`]; [`tape`] copies, [`tree`] remembers, [`layout`] finds a place
//! for everything, [`metadata`] writes it, [`format`] knows the bytes.

mod expand;
mod format;
mod image;
mod layout;
mod metadata;
mod tape;
mod tree;
mod xattrs;

pub use image::{ARCHIVE_START, Identity, Image};
