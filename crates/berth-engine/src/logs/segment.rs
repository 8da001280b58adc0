//! One file of a log: plain or compressed, and what it is known by although rotation renames it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use flate2::bufread::GzDecoder;

use super::entry::{Format, Next};

const BLOCK: usize = 64 << 10;

#[derive(Debug)]
enum Content {
    Plain { file: File, offset: u64 },
    Packed(Box<GzDecoder<BufReader<File>>>),
}

#[derive(Debug)]
pub(super) struct Segment {
    content: Content,
    /// Inode and birth of the file, or of the one that this was compressed from.
    identity: String,
    /// Entries at the beginning that are not wanted.
    pub(super) skip: u64,
}

fn missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Segment {
    /// The current file (0), or one that was rotated away so many times.
    fn open(path: &Path, number: u32) -> io::Result<Option<Self>> {
        let plain = if number == 0 { path.to_owned() } else { with(path, &format!(".{number}")) };
        if let Some(file) = missing(File::open(&plain))? {
            let metadata = file.metadata()?;
            let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let identity = format!("{} {}", metadata.ino(), born.unwrap_or_default().as_nanos());
            return Ok(Some(Self { content: Content::Plain { file, offset: 0 }, identity, skip: 0 }));
        }
        // It is compressed by now, or never was.
        let Some(file) = missing(File::open(with(&plain, ".gz")))? else { return Ok(None) };
        let decoder = GzDecoder::new(BufReader::with_capacity(BLOCK, file));
        let comment = decoder.header().and_then(|header| header.comment()).unwrap_or_default();
        let identity = String::from_utf8_lossy(comment).into_owned();
        Ok(Some(Self { content: Content::Packed(Box::new(decoder)), identity, skip: 0 }))
    }

    /// Every file, newest first. A rotation in between shows one file twice (and is noticed), or leaves one number free
    /// for a moment, but hides none.
    pub(super) fn all(path: &Path) -> io::Result<Vec<Self>> {
        let (mut found, mut gaps): (Vec<Self>, u32) = (Vec::new(), 0);
        for number in 0.. {
            match Self::open(path, number)? {
                Some(file) if found.iter().any(|known| known.is(&file)) => gaps = 0,
                Some(file) => {
                    gaps = 0;
                    found.push(file);
                }
                None if gaps > 0 => break,
                None => gaps += 1,
            }
        }
        Ok(found)
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// Appends what comes next; 0: there is no more by now.
    pub(super) fn read(&mut self, out: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let begin = out.len();
        out.resize(begin + most, 0);
        let result = match &mut self.content {
            Content::Plain { file, offset } => {
                file.read_at(&mut out[begin..], *offset).inspect(|n| *offset += *n as u64)
            }
            // One that was not finished when the power went has no end; what it has is good.
            Content::Packed(decoder) => match decoder.read(&mut out[begin..]) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
        };
        out.truncate(begin + *result.as_ref().unwrap_or(&0));
        result
    }

    /// The file has more than was read.
    pub(super) fn has_more(&self) -> io::Result<bool> {
        match &self.content {
            Content::Plain { file, offset } => Ok(file.metadata()?.len() > *offset),
            Content::Packed(_) => Ok(false),
        }
    }

    /// Somebody cut the file short: it is read from its beginning again.
    pub(super) fn restart_if_cut(&mut self) -> io::Result<bool> {
        let Content::Plain { file, offset } = &mut self.content else { return Ok(false) };
        let cut = file.metadata()?.len() < *offset;
        if cut {
            *offset = 0;
        }
        Ok(cut)
    }

    /// Leaves only the last `wanted` entries; how many of them there are.
    pub(super) fn keep_last(&mut self, wanted: u64, format: Format) -> io::Result<u64> {
        let Content::Plain { file, offset } = &mut self.content else {
            return self.keep_last_by_counting(wanted, format);
        };
        let size = file.metadata()?.len();
        let found = match format {
            Format::Json => Some(last_lines(file, size, wanted)?),
            Format::Local => last_frames(file, size, wanted)?,
        };
        match found {
            Some((begin, found)) => {
                *offset = begin;
                Ok(found)
            }
            None => self.keep_last_by_counting(wanted, format),
        }
    }

    /// A compressed file goes forwards only: once to count, once to read.
    fn keep_last_by_counting(&mut self, wanted: u64, format: Format) -> io::Result<u64> {
        let (mut entries, mut buffer) = (0_u64, Vec::new());
        while self.read(&mut buffer, BLOCK)? > 0 {
            let mut begin = 0;
            while let Next::Entry(length) = format.next(&buffer[begin..]) {
                begin += length;
                entries += 1;
            }
            buffer.drain(..begin);
        }
        self.rewind()?;
        self.skip = entries.saturating_sub(wanted);
        Ok(entries.min(wanted))
    }

    fn rewind(&mut self) -> io::Result<()> {
        match &mut self.content {
            Content::Plain { offset, .. } => *offset = 0,
            Content::Packed(decoder) => {
                let mut file = decoder.get_ref().get_ref().try_clone()?;
                io::Seek::rewind(&mut file)?;
                **decoder = GzDecoder::new(BufReader::with_capacity(BLOCK, file));
            }
        }
        Ok(())
    }
}

/// Where the last `wanted` lines of a file begin, and how many of them it has.
fn last_lines(file: &File, size: u64, wanted: u64) -> io::Result<(u64, u64)> {
    let mut found = 0;
    let mut end = size;
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let length = usize::try_from(end.min(BLOCK as u64)).unwrap_or(BLOCK);
        let start = end - length as u64;
        file.read_exact_at(&mut block[..length], start)?;
        for at in memchr::memrchr_iter(b'\n', &block[..length]) {
            if found == wanted {
                return Ok((start + at as u64 + 1, found));
            }
            found += 1;
        }
        end = start;
    }
    Ok((0, found))
}

/// The same for entries between their lengths; `None`: the end of the file is being written.
fn last_frames(file: &File, size: u64, wanted: u64) -> io::Result<Option<(u64, u64)>> {
    let (mut end, mut found) = (size, 0);
    let length_at = |at: u64| -> io::Result<u64> {
        let mut length = [0; 4];
        file.read_exact_at(&mut length, at)?;
        Ok(u32::from_be_bytes(length).into())
    };
    while end > 0 && found < wanted {
        let Some(tail) = end.checked_sub(4) else { return Ok(None) };
        let length = length_at(tail)?;
        let Some(begin) = end.checked_sub(length + 8) else { return Ok(None) };
        if length_at(begin)? != length {
            return Ok(None);
        }
        end = begin;
        found += 1;
    }
    Ok(Some((end, found)))
}
