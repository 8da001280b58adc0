//! The bytes of superblock, inode and directory entry.

use berth_archive::Kind;

/// Bytes of a block.
pub(crate) const BLOCK: u64 = 512;
const BLOCK_BITS: u8 = 9;

/// Bytes of an inode in its long form.
pub(crate) const INODE: u64 = 64;
/// Inodes are numbered by steps of so many bytes.
const SLOT: u64 = 32;

/// Bytes of a directory entry without its name.
pub(crate) const DIRENT: usize = 12;

pub(crate) const SUPERBLOCK_AT: u64 = 1024;
const MAGIC: u32 = 0xE0F5_E1E2;
/// Its checksum is right.
const COMPAT_CHECKSUM: u32 = 1;
/// The state of the checksum (CRC-32C) after the magic and an empty checksum, with which it begins.
const CHECKSUM_SEED: u32 = 0x5045_B54A;

/// What the superblock says.
#[derive(Debug, Clone)]
pub(crate) struct Superblock {
    pub(crate) root: u16,
    pub(crate) inodes: u64,
    /// Of the whole image.
    pub(crate) blocks: u32,
    /// The block from which inodes are counted.
    pub(crate) metadata: u32,
}

impl Superblock {
    /// The block it is in.
    pub(crate) fn encode(&self, uuid: [u8; 16]) -> [u8; BLOCK as usize] {
        let mut block = [0; BLOCK as usize];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC.to_le_bytes());
        put(8, &COMPAT_CHECKSUM.to_le_bytes());
        put(12, &[BLOCK_BITS]);
        put(14, &self.root.to_le_bytes());
        put(16, &self.inodes.to_le_bytes());
        put(36, &self.blocks.to_le_bytes());
        put(40, &self.metadata.to_le_bytes());
        put(48, &uuid);
        put(64, b"berth layer");
        let checksum = crc32c(CHECKSUM_SEED, &block[8..]);
        block[4..8].copy_from_slice(&checksum.to_le_bytes());
        block
    }
}

/// Where an inode's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// In blocks, one after another from this one.
    Flat(u32),
    /// Behind the inode; it does not cross a block's end.
    Inline,
    /// There is none, but a device's number.
    Device(u32),
}

/// An inode in its long form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inode {
    pub(crate) kind: Kind,
    /// Permissions with setuid, setgid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: (i64, u32),
    pub(crate) links: u32,
    pub(crate) size: u64,
    pub(crate) data: Data,
    /// Bytes of attributes behind it.
    pub(crate) xattrs: u64,
}

impl Inode {
    /// `number`: what 32-bit programs are told.
    pub(crate) fn encode(&self, number: u32) -> [u8; INODE as usize] {
        let (layout, data): (u16, u32) = match self.data {
            Data::Flat(block) => (0, block),
            Data::Inline => (2, 0),
            Data::Device(device) => (0, device),
        };
        let mut inode = [0; INODE as usize];
        let mut put = |at: usize, bytes: &[u8]| inode[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &(1 | layout << 1).to_le_bytes());
        put(2, &xattr_count(self.xattrs).to_le_bytes());
        put(4, &((file_type(self.kind) | self.mode) as u16).to_le_bytes());
        put(8, &self.size.to_le_bytes());
        put(16, &data.to_le_bytes());
        put(20, &number.to_le_bytes());
        put(24, &self.uid.to_le_bytes());
        put(28, &self.gid.to_le_bytes());
        put(32, &self.mtime.0.to_le_bytes());
        put(40, &self.mtime.1.to_le_bytes());
        put(44, &self.links.to_le_bytes());
        inode
    }
}

/// The number of the inode that lies so many bytes behind the metadata's begin.
pub(crate) fn number(at: u64) -> u64 {
    at / SLOT
}

/// Attributes are counted in units of four bytes, their header of twelve as one.
fn xattr_count(bytes: u64) -> u16 {
    if bytes == 0 { 0 } else { ((bytes - 12) / 4 + 1) as u16 }
}

/// `S_IFMT`.
fn file_type(kind: Kind) -> u32 {
    match kind {
        Kind::File | Kind::HardLink => 0o100_000,
        Kind::Directory => 0o040_000,
        Kind::Symlink => 0o120_000,
        Kind::CharDevice => 0o020_000,
        Kind::BlockDevice => 0o060_000,
        Kind::Fifo => 0o010_000,
    }
}

/// A directory entry without its name, which lies at `name` within the block.
pub(crate) fn dirent(number: u64, name: u16, kind: Kind) -> [u8; DIRENT] {
    let file_type = match kind {
        Kind::File | Kind::HardLink => 1,
        Kind::Directory => 2,
        Kind::CharDevice => 3,
        Kind::BlockDevice => 4,
        Kind::Fifo => 5,
        Kind::Symlink => 7,
    };
    let mut entry = [0; DIRENT];
    entry[..8].copy_from_slice(&number.to_le_bytes());
    entry[8..10].copy_from_slice(&name.to_le_bytes());
    entry[10] = file_type;
    entry
}

/// A device's number as the kernel writes it: twelve bits of major, twenty of minor.
pub(crate) fn device((major, minor): (u32, u32)) -> u32 {
    minor & 0xff | (major & 0xfff) << 8 | (minor & 0xf_ff00) << 12
}

/// CRC-32C from a given state, without the usual inversion at the end.
fn crc32c(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(state, |state, &byte| {
        (0..8).fold(state ^ u32::from(byte), |state, _| state >> 1 ^ 0x82F6_3B78 & (state & 1).wrapping_neg())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        assert_eq!(!crc32c(!0, &[0; 32]), 0x8A91_36AA);
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
        let begun = [MAGIC.to_le_bytes(), [0; 4]].concat();
        assert_eq!(crc32c(!0, &begun), CHECKSUM_SEED);
    }

    #[test]
    fn devices_as_the_kernel_numbers_them() {
        assert_eq!(device((0, 0)), 0);
        assert_eq!(device((1, 3)), 0x103);
        assert_eq!(device((0xfff, 0xf_ffff)), 0xffff_ffff);
    }
}
