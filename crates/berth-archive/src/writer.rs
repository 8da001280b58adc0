//! Writing an archive: ustar where it has room, PAX records for what it has none for.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use tar::{EntryType, Header};

use crate::header::BLOCK;
use crate::{Entry, Kind, Output};

/// Zeros: padding, and what a file that shrank is filled up with.
const ZEROS: [u8; 16 << 10] = [0; 16 << 10];

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// The room of a name in a header, and of the directories before it.
const NAME: usize = 100;
const PREFIX: usize = 155;

/// Writes an archive. The same entries give the same bytes.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
}

impl<W: Output> Writer<W> {
    /// Into `output`.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// An entry without data: anything but a regular file that is not empty.
    ///
    /// # Errors
    /// It cannot be passed on.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        let mut records = Vec::new();
        let mut header = header(entry, &mut records)?;
        for (name, value) in &entry.xattrs {
            record(&mut records, &[b"SCHILY.xattr.", &name[..]].concat(), value);
        }
        if !records.is_empty() {
            self.extension(&records)?;
        }
        header.set_cksum();
        self.output.bytes(header.as_bytes())
    }

    /// A regular file with its data: `entry.size` bytes, whatever becomes of the file meanwhile.
    ///
    /// # Errors
    /// It cannot be read or passed on.
    pub fn file(&mut self, entry: &Entry, file: BorrowedFd<'_>) -> io::Result<()> {
        self.entry(entry)?;
        let taken = self.output.file(file, entry.size)?;
        self.zeros(entry.size - taken)?;
        self.zeros(entry.size.wrapping_neg() % BLOCK as u64)
    }

    /// A regular file with the data that `input` has: exactly `entry.size` bytes.
    ///
    /// # Errors
    /// There are fewer or more of them, they cannot be read, or not passed on.
    pub fn data(&mut self, entry: &Entry, input: &mut dyn Read) -> io::Result<()> {
        self.entry(entry)?;
        let (mut buffer, mut left) = (vec![0; CHUNK.min(entry.size as usize + 1)], entry.size);
        loop {
            let got = input.read(&mut buffer)?;
            let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a file has another length than was promised");
            match (got, left.checked_sub(got as u64)) {
                (0, Some(0)) => return self.zeros(entry.size.wrapping_neg() % BLOCK as u64),
                (0, _) | (_, None) => return Err(wrong()),
                (_, Some(rest)) => left = rest,
            }
            self.output.bytes(&buffer[..got])?;
        }
    }

    /// The end mark. Gives the output back.
    ///
    /// # Errors
    /// It cannot be passed on.
    pub fn finish(mut self) -> io::Result<W> {
        self.zeros(2 * BLOCK as u64)?;
        Ok(self.output)
    }

    fn extension(&mut self, records: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.as_ustar_mut().ok_or_else(no_ustar)?.name[..13].copy_from_slice(b"PaxHeaders.0/");
        header.set_entry_type(EntryType::XHeader);
        header.set_mode(0o644);
        header.set_size(records.len() as u64);
        header.set_cksum();
        self.output.bytes(header.as_bytes())?;
        self.output.bytes(records)?;
        self.zeros((records.len() as u64).wrapping_neg() % BLOCK as u64)
    }

    fn zeros(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let part = count.min(ZEROS.len() as u64);
            self.output.bytes(&ZEROS[..part as usize])?;
            count -= part;
        }
        Ok(())
    }
}

fn no_ustar() -> io::Error {
    io::Error::other("a ustar header that is none")
}

fn header(entry: &Entry, records: &mut Vec<u8>) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    let fields = header.as_ustar_mut().ok_or_else(no_ustar)?;
    match split(&entry.path) {
        Some((prefix, name)) => {
            fields.prefix[..prefix.len()].copy_from_slice(prefix);
            fields.name[..name.len()].copy_from_slice(name);
        }
        None => {
            record(records, b"path", &entry.path);
            fields.name.copy_from_slice(&entry.path[..NAME]);
        }
    }
    let room = entry.link.len().min(NAME);
    fields.linkname[..room].copy_from_slice(&entry.link[..room]);
    if entry.link.len() > NAME {
        record(records, b"linkpath", &entry.link);
    }
    header.set_entry_type(match entry.kind {
        Kind::File => EntryType::Regular,
        Kind::HardLink => EntryType::Link,
        Kind::Symlink => EntryType::Symlink,
        Kind::CharDevice => EntryType::Char,
        Kind::BlockDevice => EntryType::Block,
        Kind::Directory => EntryType::Directory,
        Kind::Fifo => EntryType::Fifo,
    });
    header.set_mode(entry.mode);
    header.set_uid(entry.uid.into());
    header.set_gid(entry.gid.into());
    header.set_size(if entry.kind == Kind::File { entry.size } else { 0 });
    match u64::try_from(entry.mtime.0) {
        Ok(seconds) => header.set_mtime(seconds),
        Err(_) => record(records, b"mtime", entry.mtime.0.to_string().as_bytes()),
    }
    header.set_device_major(entry.device.0)?;
    header.set_device_minor(entry.device.1)?;
    Ok(header)
}

/// A path as prefix and name, where both have room.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME {
        return Some((b"", path));
    }
    // The slash that ends a directory's name does not divide anything.
    let inner = &path[..path.len() - 1];
    let fits = |&at: &usize| at > 0 && at <= PREFIX && path.len() - at - 1 <= NAME;
    let at = inner.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at).find(fits)?;
    Some((&path[..at], &path[at + 1..]))
}

/// `length key=value\n`, where the length counts itself.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(length.to_string().as_bytes());
    for part in [b" ", key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Reader, Stream};

    fn entry(path: Vec<u8>, link: Vec<u8>, id: u32, mtime: i64, xattr: Vec<u8>) -> Entry {
        let kind = if link.is_empty() { Kind::Fifo } else { Kind::Symlink };
        let xattrs = if xattr.is_empty() { Vec::new() } else { vec![(b"user.x".to_vec(), xattr)] };
        Entry { path, link, kind, mode: 0o640, uid: id, gid: id, mtime: (mtime, 0), device: (0, 0), size: 0, xattrs }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            path in "[a-zé/]{1,400}", link in "[a-z/.]{0,300}", id in any::<u32>(), mtime in -9_999_999_i64..99_999_999_999,
            xattr in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let written = entry(path.into_bytes(), link.into_bytes(), id, mtime, xattr);
            let mut writer = Writer::new(Stream(Vec::new()));
            writer.entry(&written).unwrap();
            let bytes = writer.finish().unwrap().0;
            let read = Reader::new(&bytes[..]).next().unwrap().unwrap();
            prop_assert_eq!(&read.path, &written.path);
            prop_assert_eq!(&read.link, &written.link);
            prop_assert_eq!((read.uid, read.gid, read.mtime, read.kind), (id, id, (mtime, 0), written.kind));
            prop_assert_eq!(&read.xattrs, &written.xattrs);
        }
    }
}
