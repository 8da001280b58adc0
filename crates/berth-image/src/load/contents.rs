//! What an archive of images contains, collected while it streams by.
//!
//! Documents are held in memory, layers are unpacked as they come, whatever they turn out to belong to: in most
//! archives the documents that say so come last. Nothing is written under a name that the archive chooses.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};

use berth_archive::{ArchiveError, Entry, Kind, Reader};
use berth_oci::Digest;

use super::layers::{Slot, Unpacking};
use crate::pull::decompress::Form;
use crate::{Error, Result};

/// One document, at most; a manifest has one line a layer.
const MAX_DOCUMENT: u64 = 16 << 20;
/// All documents and names together, at most.
const MAX_HELD: u64 = 128 << 20;
/// Links that lead to links, at most.
const MAX_LINKS: usize = 8;
/// What is looked at to tell what an entry is.
const HEAD: usize = 512;

/// An archive, read.
#[derive(Debug, Default)]
pub(super) struct Contents {
    documents: HashMap<String, Vec<u8>>,
    links: HashMap<String, String>,
    /// Which of the layers lies there.
    layers: HashMap<String, Slot>,
    /// What is there and is nothing that an image is made of, or too large for it.
    others: HashMap<String, u64>,
    held: u64,
}

impl Contents {
    /// Reads an archive that is not compressed to its end.
    ///
    /// # Errors
    /// It is none, it is cut off, or one of its blobs is not what its name says.
    pub(super) fn read<R: Read + Send>(archive: R, layers: &Unpacking<'_>) -> Result<Self> {
        let (mut reader, mut contents, mut first) = (Reader::new(archive), Self::default(), true);
        loop {
            let entry = reader.next().map_err(|e| if first { no_archive(&e) } else { spoilt(&e) })?;
            first = false;
            let Some(entry) = entry else { break };
            let path = clean(&entry.path, "")?;
            contents.hold(path.len() as u64)?;
            match entry.kind {
                Kind::File => contents.file(path, &entry, &mut reader, layers)?,
                Kind::Symlink | Kind::HardLink => {
                    let base = if entry.kind == Kind::Symlink { parent(&path) } else { "" };
                    let target = clean(&entry.link, base)?;
                    contents.hold(target.len() as u64)?;
                    contents.links.insert(path, target);
                }
                // Nothing of an image is made of these.
                Kind::Directory | Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => {}
            }
        }
        reader.finish().map_err(|e| spoilt(&e))?;
        Ok(contents)
    }

    fn file<R: Read + Send>(
        &mut self,
        path: String,
        entry: &Entry,
        reader: &mut Reader<R>,
        layers: &Unpacking<'_>,
    ) -> Result<()> {
        let digest = named_digest(&path);
        let mut data = Data { reader, position: 0, size: entry.size };
        let mut head = Vec::with_capacity(HEAD);
        (&mut data).take(HEAD as u64).read_to_end(&mut head).map_err(|e| spoilt(&e))?;
        if is_layer(&head) {
            let slot = layers.take(&path, digest.as_ref(), entry.size, Cursor::new(head).chain(data))?;
            self.layers.insert(path, slot);
        } else if entry.size <= MAX_DOCUMENT {
            self.hold(entry.size)?;
            data.read_to_end(&mut head).map_err(|e| spoilt(&e))?;
            if let Some(digest) = digest.filter(|digest| !digest.matches(&head)) {
                return Err(wrong_digest(&digest, &Digest::of(&head)));
            }
            self.documents.insert(path, head);
        } else {
            self.others.insert(path, entry.size);
        }
        Ok(())
    }

    fn hold(&mut self, bytes: u64) -> Result<()> {
        self.held += bytes;
        match self.held > MAX_HELD {
            true => Err(Error::Archive(format!("it has more than {} MiB beside its layers", MAX_HELD >> 20))),
            false => Ok(()),
        }
    }

    /// A document, by its path; links are followed.
    pub(super) fn document(&self, path: &str) -> Result<&[u8]> {
        let place = self.place(path)?;
        self.documents.get(&place).map(Vec::as_slice).ok_or_else(|| match self.others.get(&place) {
            Some(size) => Error::Archive(format!("{path} has {size} bytes, which is too much")),
            None if self.layers.contains_key(&place) => Error::Archive(format!("{path} is a layer, not a document")),
            None => Error::Archive(format!("{path} is missing")),
        })
    }

    /// Whether there is a document, or something that should be one.
    pub(super) fn has(&self, path: &str) -> bool {
        self.place(path).is_ok_and(|place| self.documents.contains_key(&place) || self.others.contains_key(&place))
    }

    /// A layer, by its path; links are followed.
    pub(super) fn layer(&self, path: &str) -> Result<Slot> {
        let place = self.place(path)?;
        self.layers.get(&place).cloned().ok_or_else(|| {
            let there = self.documents.contains_key(&place) || self.others.contains_key(&place);
            let what = if there { "is no layer: neither tar nor compressed" } else { "is missing" };
            Error::Archive(format!("the layer {path} {what}"))
        })
    }

    fn place(&self, path: &str) -> Result<String> {
        let mut place = clean(path.as_bytes(), "")?;
        for _ in 0..MAX_LINKS {
            match self.links.get(&place) {
                Some(target) => place.clone_from(target),
                None => return Ok(place),
            }
        }
        Err(Error::Archive(format!("{path} is a link that leads to links without end")))
    }
}

/// A path within the archive, from its root, whatever `path` is relative to.
fn clean(path: &[u8], base: &str) -> Result<String> {
    let text = String::from_utf8_lossy(path);
    let mut parts: Vec<&str> = Vec::new();
    // An absolute path is one from the archive's root.
    let base = if text.starts_with('/') { "" } else { base };
    for part in base.split('/').chain(text.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_some() => {}
            ".." => return Err(Error::Archive(format!("{text:?} leads out of it"))),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The digest that a path promises: `blobs/sha256/…`.
pub(super) fn named_digest(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    Digest::parse(&format!("{algorithm}:{hex}")).ok()
}

/// Whether something begins as a layer does: as an archive, or compressed.
fn is_layer(head: &[u8]) -> bool {
    if Form::of(head) != Form::Plain {
        return true;
    }
    // What its first header promises is not here; whether it is one is told by its checksum.
    head.len() == HEAD && !matches!(Reader::new(head).next(), Err(ArchiveError::Checksum))
}

pub(super) fn wrong_digest(expected: &Digest, actual: &Digest) -> Error {
    Error::Archive(format!("the blob {expected} is something else: its digest is {actual}"))
}

pub(super) fn no_archive(error: &dyn std::fmt::Display) -> Error {
    Error::Archive(format!("it is neither a tar archive nor a compressed one ({error})"))
}

fn spoilt(error: &dyn std::fmt::Display) -> Error {
    Error::Archive(error.to_string())
}

/// An entry's data.
struct Data<'a, R> {
    reader: &'a mut Reader<R>,
    position: u64,
    size: u64,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (offset, got) = self.reader.read(buffer).map_err(|e| match e {
            ArchiveError::Read(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
        })?;
        // Nobody writes these, and a hole can pretend to be any size.
        let whole = if got == 0 { self.position == self.size } else { offset == self.position };
        if !whole && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the archive has a sparse file"));
        }
        self.position += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let clean = |path: &str, base: &str| clean(path.as_bytes(), base).map_err(|e| e.to_string());
        assert_eq!(clean("./a//b/", ""), Ok("a/b".into()));
        assert_eq!(clean("/a", "x"), Ok("a".into()));
        assert_eq!(clean("../b/layer.tar", "a"), Ok("b/layer.tar".into()));
        for (path, base) in [("../a", ""), ("../../a", "x"), ("a/../../b", ""), ("/..", "x/y")] {
            assert!(clean(path, base).unwrap_err().contains("leads out"), "{path}");
        }
    }

    #[test]
    fn layers_are_told_by_their_beginning() {
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        header.set_cksum();
        assert!(is_layer(header.as_bytes()));
        assert!(is_layer(&[0; 512]));
        assert!(is_layer(&[0x1f, 0x8b, 8]));
        assert!(!is_layer(b"{\"schemaVersion\": 2}"));
        assert!(!is_layer(&[b' '; 512]));
        assert!(!is_layer(b""));
    }
}
