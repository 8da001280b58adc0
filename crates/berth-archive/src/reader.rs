//! Entry by entry through an archive that comes as a stream.

use std::io::{BufRead, Read};

use super::header::{BLOCK, Header, sparse_segments};
use super::pax::{Pax, decimal};
use super::sparse::{SparseMap, check_count};
use super::{ArchiveError, Entry, Kind, PATH_MAX};

/// Extended headers are a few hundred bytes; extended attributes may make them some 64 KiB each.
const MAX_EXTENSION: u64 = 1 << 20;

/// Reads an archive.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// Bytes of the current entry that were not read, and the padding behind them.
    remaining: u64,
    padding: u64,
    sparse: Option<SparseMap>,
    written: u64,
    global: Pax,
}

/// What headers before the entry's own said.
#[derive(Default)]
struct Pending {
    pax: Pax,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// Of a stream.
    pub fn new(input: R) -> Self {
        Self { input, remaining: 0, padding: 0, sparse: None, written: 0, global: Pax::default() }
    }

    /// The next entry; what was not read of the one before is passed over. `None` at the end mark, or where the
    /// stream ends between entries, as some writers leave it.
    ///
    /// # Errors
    /// What is wrong with the archive, or with reading it.
    #[allow(clippy::should_implement_trait, reason = "an iterator's `next` could not fail")]
    pub fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        self.skip_data()?;
        let mut pending = Pending { pax: self.global.clone(), ..Pending::default() };
        loop {
            let Some(block) = self.block()? else { return Ok(None) };
            let header = Header(&block);
            if header.is_zero() {
                return Ok(None);
            }
            header.verify()?;
            match header.typeflag() {
                b'x' | b'X' => pending.pax.take(&self.extension(header.size()?)?)?,
                b'g' => {
                    let records = self.extension(header.size()?)?;
                    self.global.take(&records)?;
                    pending.pax.take(&records)?;
                }
                b'L' => pending.path = Some(self.long_name(header.size()?)?),
                b'K' => pending.link = Some(self.long_name(header.size()?)?),
                // A volume label and a multi-volume continuation say nothing about files.
                b'V' | b'M' => self.skip(header.size()?)?,
                _ => return self.entry(&header, pending).map(Some),
            }
        }
    }

    /// The next bytes of the current entry's data and where in the file they go; 0 bytes at the end.
    ///
    /// # Errors
    /// The archive is cut off or cannot be read.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<(u64, usize), ArchiveError> {
        let (offset, room) = self.room();
        let want = room.min(buffer.len() as u64) as usize;
        if want == 0 {
            return Ok((offset, 0));
        }
        let got = self.input.read(&mut buffer[..want])?;
        if got == 0 {
            return Err(ArchiveError::Truncated);
        }
        self.advance(got);
        Ok((offset, got))
    }

    /// Where in the file the next data goes, and how much of it there is in one piece.
    fn room(&mut self) -> (u64, u64) {
        match &mut self.sparse {
            Some(map) => map.position().map_or((0, 0), |(offset, room)| (offset, room.min(self.remaining))),
            None => (self.written, self.remaining),
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.remaining -= bytes as u64;
        self.written += bytes as u64;
        if let Some(map) = &mut self.sparse {
            map.advance(bytes as u64);
        }
    }

    /// As [`Self::read`], without copying: what the input has ready. To be followed by [`Self::taken`].
    ///
    /// # Errors
    /// The archive is cut off or cannot be read.
    pub fn ready(&mut self) -> Result<(u64, &[u8]), ArchiveError>
    where
        R: BufRead,
    {
        let (offset, room) = self.room();
        if room == 0 {
            return Ok((offset, &[]));
        }
        let ready = self.input.fill_buf()?;
        if ready.is_empty() {
            return Err(ArchiveError::Truncated);
        }
        Ok((offset, &ready[..ready.len().min(usize::try_from(room).unwrap_or(usize::MAX))]))
    }

    /// So much of what was ready has been used.
    pub fn taken(&mut self, bytes: usize)
    where
        R: BufRead,
    {
        self.input.consume(bytes);
        self.advance(bytes);
    }

    /// Takes what was not read of the current entry's data off the reader's hands: so many bytes of [`Self::input`],
    /// and so many of padding, which the last entry may lack, are the caller's to pass over before the next entry.
    pub fn pass_over(&mut self) -> (u64, u64) {
        let rest = (self.remaining, self.padding);
        self.begin_data(0);
        rest
    }

    /// What it reads.
    pub fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// Of a sparse file: offset and length of each piece of it that the archive has, one after another.
    pub fn segments(&self) -> Option<&[(u64, u64)]> {
        self.sparse.as_ref().map(SparseMap::segments)
    }

    /// Reads the stream to its end: what follows the end mark counts in the layer's digest too.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn finish(mut self) -> Result<(), ArchiveError> {
        std::io::copy(&mut self.input, &mut std::io::sink())?;
        Ok(())
    }

    fn entry(&mut self, header: &Header<'_>, pending: Pending) -> Result<Entry, ArchiveError> {
        let Pending { mut pax, path, link } = pending;
        let kind = kind(header.typeflag())?;
        // A size in PAX replaces the header's for finding the next header as well: else readers disagree.
        let stored = pax.size.map_or_else(|| header.size(), Ok)?;
        let has_data = kind == Kind::File;
        let path = pax.sparse_name.take().or(pax.path.take()).or(path).unwrap_or_else(|| header.path());
        let link = pax.link.take().or(link).unwrap_or_else(|| header.link());
        let directory_by_name = has_data && header.typeflag() != b'S' && path.ends_with(b"/");
        let kind = if directory_by_name { Kind::Directory } else { kind };
        self.begin_data(if has_data { stored } else { 0 });
        let size = if has_data { self.sparse_data(header, &mut pax, stored)? } else { 0 };
        Ok(Entry {
            path,
            link,
            kind,
            mode: header.mode()?,
            uid: pax.uid.map_or_else(|| header.uid(), Ok)?,
            gid: pax.gid.map_or_else(|| header.gid(), Ok)?,
            mtime: pax.mtime.map_or_else(|| header.mtime().map(|t| (t, 0)), Ok)?,
            device: match kind {
                Kind::CharDevice | Kind::BlockDevice => header.device()?,
                _ => (0, 0),
            },
            size,
            xattrs: pax.xattrs,
        })
    }

    fn begin_data(&mut self, stored: u64) {
        self.remaining = stored;
        self.padding = stored.wrapping_neg() % BLOCK as u64;
        self.sparse = None;
        self.written = 0;
    }

    /// Reads the map of a sparse file, in whichever of four forms it comes; gives back the file's real size.
    fn sparse_data(&mut self, header: &Header<'_>, pax: &mut Pax, stored: u64) -> Result<u64, ArchiveError> {
        let (segments, real) = if header.typeflag() == b'S' {
            let (mut segments, mut more, real) = header.gnu_sparse()?;
            while more {
                let block = self.block()?.ok_or(ArchiveError::Truncated)?;
                segments.extend(sparse_segments(&block[..504])?);
                check_count(segments.len())?;
                more = block[504] != 0;
            }
            (segments, real)
        } else if pax.sparse_in_data {
            let real = pax.sparse_size.ok_or(ArchiveError::Sparse)?;
            (self.sparse_map_in_data()?, real)
        } else if let Some(segments) = pax.sparse_map.take() {
            (segments, pax.sparse_size.ok_or(ArchiveError::Sparse)?)
        } else {
            return Ok(stored);
        };
        self.sparse = Some(SparseMap::new(segments, real, self.remaining)?);
        Ok(real)
    }

    /// Form 1.0: decimal numbers, one a line, their count first, in whole blocks before the data.
    fn sparse_map_in_data(&mut self) -> Result<Vec<(u64, u64)>, ArchiveError> {
        let (mut numbers, mut line) = (Vec::new(), Vec::new());
        let mut wanted = 1;
        while numbers.len() < wanted {
            if self.remaining < BLOCK as u64 {
                return Err(ArchiveError::Sparse);
            }
            let block = self.block()?.ok_or(ArchiveError::Truncated)?;
            self.remaining -= BLOCK as u64;
            for &byte in &block {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                numbers.push(decimal(&line).ok_or(ArchiveError::Sparse)?);
                line.clear();
                if numbers.len() == 1 {
                    check_count(usize::try_from(numbers[0]).map_err(|_| ArchiveError::Sparse)?)?;
                    wanted = 1 + 2 * numbers[0] as usize;
                }
                if numbers.len() == wanted {
                    break;
                }
            }
        }
        Ok(numbers[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > PATH_MAX as u64 + 1 {
            return Err(ArchiveError::TooLong("name"));
        }
        let mut name = self.extension(size)?;
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ArchiveError> {
        if size > MAX_EXTENSION {
            return Err(ArchiveError::TooLong("extended header"));
        }
        let mut bytes = vec![0; size.next_multiple_of(BLOCK as u64) as usize];
        self.input.read_exact(&mut bytes)?;
        bytes.truncate(size as usize);
        Ok(bytes)
    }

    fn skip_data(&mut self) -> Result<(), ArchiveError> {
        let (rest, padding) = (self.remaining, self.padding);
        self.begin_data(0);
        self.skip_exact(rest)?;
        // Some writers (umoci's insert) end with the last file's data, without padding and end mark.
        std::io::copy(&mut (&mut self.input).take(padding), &mut std::io::sink())?;
        Ok(())
    }

    fn skip(&mut self, size: u64) -> Result<(), ArchiveError> {
        self.skip_exact(size.checked_next_multiple_of(BLOCK as u64).ok_or(ArchiveError::Field("size"))?)
    }

    fn skip_exact(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        let passed = std::io::copy(&mut (&mut self.input).take(bytes), &mut std::io::sink())?;
        if passed == bytes { Ok(()) } else { Err(ArchiveError::Truncated) }
    }

    /// A whole block, or `None` where the stream has ended.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, ArchiveError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(ArchiveError::Truncated),
                n => filled += n,
            }
        }
        Ok(Some(block))
    }
}

fn kind(typeflag: u8) -> Result<Kind, ArchiveError> {
    Ok(match typeflag {
        b'0' | b'\0' | b'7' | b'S' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::CharDevice,
        b'4' => Kind::BlockDevice,
        // GNU's incremental dumps list a directory's names in its data.
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(ArchiveError::Kind(char::from(other))),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An archive with something of everything that is parsed: long names, PAX, sparse maps.
    fn sample() -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("n".repeat(150));
        std::fs::write(&long, vec![b'x'; 1000]).unwrap();
        let sparse = std::fs::File::create(directory.path().join("sparse")).unwrap();
        for n in 0..10 {
            std::os::unix::fs::FileExt::write_all_at(&sparse, &[1; 4096], n * 65536).unwrap();
        }
        let mut archive = Vec::new();
        for format in ["--format=gnu", "--format=pax"] {
            let mut tar = std::process::Command::new("tar");
            tar.arg("-C").arg(directory.path()).args([format, "--sparse", "-cf", "-", "."]);
            let output = tar.output().unwrap();
            // Without the end mark, so that the next format follows.
            let end = output.stdout.iter().rposition(|&b| b != 0).unwrap() + 1;
            archive.extend_from_slice(&output.stdout[..end.next_multiple_of(BLOCK)]);
        }
        archive
    }

    fn read_all(archive: &[u8]) -> Result<usize, ArchiveError> {
        let mut reader = Reader::new(archive);
        let (mut entries, mut buffer) = (0, [0; 4096]);
        while reader.next()?.is_some() {
            entries += 1;
            while reader.read(&mut buffer)?.1 > 0 {}
        }
        reader.finish().map(|()| entries)
    }

    /// The header's checksum made right again, so that what lies behind it is reached.
    fn repair(block: &mut [u8]) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn the_last_file_may_have_no_padding() {
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        header.set_cksum();
        let bare = [header.as_bytes(), &b"abc"[..]].concat();
        assert_eq!(read_all(&bare).unwrap(), 1);
        assert!(matches!(read_all(&bare[..bare.len() - 1]), Err(ArchiveError::Truncated)));
    }

    #[test]
    fn spoilt_archives_end_in_an_error_or_in_peace() {
        let whole = sample();
        assert_eq!(read_all(&whole).unwrap(), 6);
        let blocks = whole.len() / BLOCK;
        let spoil = prop::collection::vec((0..blocks, 0..BLOCK, any::<u8>(), any::<bool>()), 1..6);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            cases: ProptestConfig::default().cases * 8,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let test = |(changes, cut): (Vec<(usize, usize, u8, bool)>, usize)| {
            let mut archive = whole.clone();
            for (block, at, byte, fix) in changes {
                let block = &mut archive[block * BLOCK..(block + 1) * BLOCK];
                block[at] = byte;
                if fix {
                    repair(block);
                }
            }
            archive.truncate(archive.len() - cut);
            let _ = read_all(&archive);
            Ok(())
        };
        runner.run(&(spoil, 0..2000_usize), test).unwrap();
    }
}
