//! One layer's entries.

use std::io::{BufReader, Read};

use berth_archive::{ArchiveError, Entry, Kind, Reader};
use berth_oci::{ChainId, Digest, Hasher};

use crate::store::Inner;
use crate::{Error, Result};

/// Names by which a layer says that something below it is gone.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// What other engines keep in layers for themselves.
const PRIVATE: &[u8] = b".wh..wh.";

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Below the root, without slashes before and after; the root itself is empty.
    pub(crate) path: Vec<u8>,
    pub(crate) what: What,
    pub(crate) attributes: Attributes,
}

/// What an entry is, apart from its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    File {
        size: u64,
        content: Digest,
    },
    /// Another name of the file at this path of the same layer.
    HardLink(Vec<u8>),
    Symlink(Vec<u8>),
    Directory,
    Device {
        block: bool,
        number: (u32, u32),
    },
    Fifo,
    /// The path is gone from here on.
    Whiteout,
    /// What lower layers have in this directory is gone.
    Opaque,
}

/// Who may do what with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Sorted.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Reads a layer that is here. Blocks.
pub(crate) fn read(inner: &Inner, chain: &ChainId) -> Result<Vec<Item>> {
    let archive = crate::open::open_archive(inner, chain)?;
    items(archive).map_err(|e| Error::BadLayer { blob: chain.0.clone(), reason: e.to_string() })
}

/// The entries of an archive.
fn items(archive: impl Read) -> Result<Vec<Item>, ArchiveError> {
    let mut reader = Reader::new(BufReader::with_capacity(128 << 10, archive));
    let (mut items, mut buffer) = (Vec::new(), vec![0; 128 << 10]);
    while let Some(entry) = reader.next()? {
        let content = match entry.kind {
            Kind::File => Some(content(&mut reader, entry.size, &mut buffer)?),
            _ => None,
        };
        items.extend(item(entry, content));
    }
    // What is behind the end mark may be wrong, and says nothing.
    Ok(items)
}

/// The digest of a file's bytes, its holes read as zeros.
fn content<R: Read>(reader: &mut Reader<R>, size: u64, buffer: &mut [u8]) -> Result<Digest, ArchiveError> {
    let (mut hasher, mut at) = (Hasher::default(), 0);
    loop {
        let (offset, read) = reader.read(buffer)?;
        let end = if read == 0 { size } else { offset };
        zeros(&mut hasher, end.saturating_sub(at));
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..read]);
        at = offset + read as u64;
    }
}

fn zeros(hasher: &mut Hasher, mut count: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let some = count.min(ZEROS.len() as u64);
        hasher.update(&ZEROS[..some as usize]);
        count -= some;
    }
}

fn item(entry: Entry, content: Option<Digest>) -> Option<Item> {
    let mut path = normal(&entry.path)?;
    let at = path.iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    let what = match &path[at..] {
        OPAQUE => {
            path.truncate(at.saturating_sub(1));
            What::Opaque
        }
        name if name.starts_with(PRIVATE) => return None,
        name if name.starts_with(WHITEOUT) => {
            path.drain(at..at + WHITEOUT.len());
            What::Whiteout
        }
        _ => what(&entry, content)?,
    };
    let mut xattrs = entry.xattrs;
    xattrs.sort_unstable();
    Some(Item { path, what, attributes: Attributes { mode: entry.mode, owner: (entry.uid, entry.gid), xattrs } })
}

fn what(entry: &Entry, content: Option<Digest>) -> Option<What> {
    Some(match entry.kind {
        Kind::File => What::File { size: entry.size, content: content? },
        Kind::HardLink => What::HardLink(normal(&entry.link)?),
        Kind::Symlink => What::Symlink(entry.link.clone()),
        Kind::Directory => What::Directory,
        Kind::CharDevice | Kind::BlockDevice => {
            What::Device { block: entry.kind == Kind::BlockDevice, number: entry.device }
        }
        Kind::Fifo => What::Fifo,
    })
}

/// A path below the root; one that climbs is none: no layer that was unpacked has such.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    (!parts.contains(&&b".."[..])).then(|| parts.join(&b'/'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read() {
        let read =
            |path: &str| item(Entry::plain(Kind::File, path), Some(Digest::of(b""))).map(|item| (item.path, item.what));
        assert_eq!(read("./a/.wh.b"), Some((b"a/b".to_vec(), What::Whiteout)));
        assert_eq!(read(".wh.b"), Some((b"b".to_vec(), What::Whiteout)));
        assert_eq!(read("a/c/.wh..wh..opq"), Some((b"a/c".to_vec(), What::Opaque)));
        assert_eq!(read(".wh..wh..opq"), Some((Vec::new(), What::Opaque)));
        assert_eq!(read("a/.wh..wh.plnk"), None);
        assert_eq!(read("../x"), None);
        assert_eq!(read("/a//b/").unwrap().0, b"a/b");
    }

    #[test]
    fn holes_are_zeros() {
        let mut hasher = Hasher::default();
        zeros(&mut hasher, 10_000);
        assert_eq!(hasher.finish(), Digest::of(&[0; 10_000]));
    }
}
