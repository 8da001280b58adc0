//! The files of one log, as one sequence of entries, oldest first.
//!
//! Rotation renames `x` to `x.1`, `x.1` to `x.2`, …, and may compress `x.1` to `x.1.gz`: a file is known again by its
//! identity, not by its name.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Format, Next};
use super::segment::Segment;

/// What is read at once.
const BLOCK: usize = 128 << 10;

/// Reads on from where it stands; at the end, what is written later comes with the next call.
#[derive(Debug)]
pub(super) struct Entries {
    path: PathBuf,
    format: Format,
    current: Option<Segment>,
    /// Not read yet, oldest first.
    next: VecDeque<Segment>,
    /// Bytes of which whole entries are given out; what is left is the beginning of one.
    buffer: Vec<u8>,
}

impl Entries {
    /// From the beginning, or from the last `tail` entries on.
    pub(super) fn open(path: &Path, format: Format, tail: Option<u64>) -> io::Result<Self> {
        let mut files = Segment::all(path)?;
        if let Some(tail) = tail {
            let (mut missing, mut wanted) = (tail, 0);
            for file in &mut files {
                wanted += 1;
                missing -= file.keep_last(missing, format)?;
                if missing == 0 {
                    break;
                }
            }
            files.truncate(wanted);
        }
        let next = files.into_iter().rev().collect();
        Ok(Self { path: path.to_owned(), format, current: None, next, buffer: Vec::new() })
    }

    /// Reads some, and gives out the entries that are whole by now until `give` wants no more. False: that is all there
    /// is by now.
    pub(super) fn read(&mut self, mut give: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        loop {
            if self.current.is_none() {
                self.current = self.next.pop_front();
            }
            let Some(current) = &mut self.current else {
                self.next = Segment::all(&self.path)?.into_iter().rev().collect();
                if self.next.is_empty() {
                    return Ok(false);
                }
                continue;
            };
            if current.read(&mut self.buffer, BLOCK)? > 0 {
                self.give_out(&mut give);
                return Ok(true);
            }
            if !self.advance()? {
                return Ok(false);
            }
        }
    }

    fn give_out(&mut self, give: &mut impl FnMut(&[u8]) -> bool) {
        let Some(current) = &mut self.current else { return };
        let (mut begin, mut wanted) = (0, true);
        loop {
            match self.format.next(&self.buffer[begin..]) {
                Next::Entry(length) => {
                    let entry = &self.buffer[begin..begin + length];
                    match current.skip {
                        0 => wanted = wanted && give(entry),
                        _ => current.skip -= 1,
                    }
                    begin += length;
                }
                Next::Part => break,
                Next::Damage => begin = self.buffer.len(),
            }
        }
        self.buffer.drain(..begin);
    }

    /// At the end of a file: goes on to the one after it, where there is one. Only called with a current file.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(current) = &mut self.current else { return Ok(false) };
        if self.next.is_empty() {
            if current.restart_if_cut()? {
                self.buffer.clear();
                return Ok(true);
            }
            let files = Segment::all(&self.path)?;
            let newer = match files.iter().position(|file| file.is(current)) {
                Some(0) => return Ok(false),
                at => at.unwrap_or(files.len()),
            };
            // Rotated away. What was written between our last read and the rotation comes first.
            if current.has_more()? {
                return Ok(true);
            }
            self.next = files.into_iter().take(newer).rev().collect();
        }
        if self.next.is_empty() {
            return Ok(false);
        }
        // A rotated file ends with a whole entry, unless its writer was killed.
        self.buffer.clear();
        self.current = None;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use std::fs;
    use std::io::Write;

    use super::*;

    fn drain(entries: &mut Entries) -> Vec<String> {
        let mut all = Vec::new();
        while entries
            .read(|entry| {
                all.push(String::from_utf8_lossy(entry).trim_end().to_owned());
                true
            })
            .unwrap()
        {}
        all
    }

    fn open(path: &Path, tail: Option<u64>) -> Entries {
        Entries::open(path, Format::Json, tail).unwrap()
    }

    fn append(path: &Path, text: &str) {
        fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rotated(path: &Path, suffix: &str) -> PathBuf {
        path.with_extension(suffix)
    }

    fn rotate(path: &Path) {
        for suffix in ["", ".gz"] {
            for number in (1..4).rev() {
                let to = rotated(path, &format!("{}{suffix}", number + 1));
                let _ = fs::rename(rotated(path, &format!("{number}{suffix}")), to);
            }
        }
        fs::rename(path, rotated(path, "1")).unwrap();
    }

    /// As the shim does it, but at once.
    fn compress(path: &Path) {
        use std::os::unix::fs::MetadataExt;
        let plain = rotated(path, "1");
        let metadata = fs::metadata(&plain).unwrap();
        let born = metadata.created().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let comment = format!("{} {born}", metadata.ino());
        let target = fs::File::create(rotated(path, "1.gz")).unwrap();
        let mut packed = flate2::GzBuilder::new().comment(comment).write(target, flate2::Compression::fast());
        packed.write_all(&fs::read(&plain).unwrap()).unwrap();
        packed.finish().unwrap();
        fs::remove_file(plain).unwrap();
    }

    #[test]
    fn rotated_files_come_first_and_tail_counts_across_them() {
        for pack in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("log");
            for n in 0..9 {
                append(&path, &format!("line {n}\n"));
                if n % 3 == 2 && n < 8 {
                    rotate(&path);
                    if pack {
                        compress(&path);
                    }
                }
            }
            let all: Vec<_> = (0..9).map(|n| format!("line {n}")).collect();
            assert_eq!(drain(&mut open(&path, None)), all);
            for tail in 0..12_usize {
                let got = drain(&mut open(&path, Some(tail as u64)));
                assert_eq!(got, all[9_usize.saturating_sub(tail)..], "the last {tail}, {pack}");
            }
        }
    }

    #[test]
    fn what_is_written_later_comes_once_through_rotations_and_torn_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut lines = open(&path, Some(0));
        assert!(drain(&mut lines).is_empty());
        append(&path, "a\nb");
        assert_eq!(drain(&mut lines), ["a"]);
        append(&path, "c\n");
        assert_eq!(drain(&mut lines), ["bc"]);
        append(&path, "before\n");
        rotate(&path);
        append(&path, "x\n");
        rotate(&path);
        compress(&path);
        append(&path, "y\n");
        assert_eq!(drain(&mut lines), ["before", "x", "y"]);
        append(&path, "z\n");
        rotate(&path);
        compress(&path);
        append(&path, "end\n");
        assert_eq!(drain(&mut lines), ["z", "end"]);
        append(&path, &"z".repeat(200_000));
        append(&path, "\n");
        assert_eq!(drain(&mut lines)[0].len(), 200_000);
        assert!(drain(&mut lines).is_empty());
    }

    #[test]
    fn a_file_cut_short_is_read_from_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append(&path, "one\ntwo\n");
        let mut lines = open(&path, None);
        assert_eq!(drain(&mut lines), ["one", "two"]);
        fs::write(&path, "new\n").unwrap();
        assert_eq!(drain(&mut lines), ["new"]);
    }

    #[test]
    fn the_last_of_local_entries_are_found_from_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let entry = |n: u8| [&[0, 0, 0, 2][..], &[0x10, n], &[0, 0, 0, 2]].concat();
        fs::write(&path, (0..9).flat_map(entry).collect::<Vec<u8>>()).unwrap();
        let read = |tail| {
            let (mut entries, mut found) = (Entries::open(&path, Format::Local, tail).unwrap(), Vec::new());
            while entries
                .read(|entry| {
                    found.push(entry[5]);
                    true
                })
                .unwrap()
            {}
            found
        };
        assert_eq!(read(None), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(read(Some(3)), [6, 7, 8]);
        // One is being written.
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0, 0, 0, 2, 9]).unwrap();
        assert_eq!(read(Some(2)), [7, 8]);
    }
}
