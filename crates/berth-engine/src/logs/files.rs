//! The files of one log, as one sequence of lines, oldest first.
//!
//! Rotation renames `x` to `x.1`, `x.1` to `x.2`, …: a file keeps its inode, and that is how it is known again.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

const BLOCK: usize = 64 << 10;

/// A line longer than this is no line of ours.
const LONGEST: usize = 1 << 20;

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    offset: u64,
}

/// Reads on from where it stands; at the end, what is written later comes with the next call.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    current: Option<Open>,
    /// Not read yet, oldest first.
    next: std::collections::VecDeque<Open>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
}

fn open(path: &Path) -> io::Result<Option<Open>> {
    match File::open(path) {
        Ok(file) => {
            let inode = file.metadata()?.ino();
            Ok(Some(Open { file, inode, offset: 0 }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Every file, newest first: a rotation in between shows one file twice (and is noticed), but hides none.
fn open_all(path: &Path) -> io::Result<Vec<Open>> {
    let mut found: Vec<Open> = open(path)?.into_iter().collect();
    for number in 1.. {
        match open(&rotated(path, number))? {
            Some(file) if found.iter().any(|f| f.inode == file.inode) => {}
            Some(file) => found.push(file),
            // The current file is missing for a moment while it is rotated.
            None => break,
        }
    }
    Ok(found)
}

impl Lines {
    /// From the beginning, or from the last `tail` lines on.
    pub(super) fn open(path: &Path, tail: Option<u64>) -> io::Result<Self> {
        let mut files = open_all(path)?;
        if let Some(tail) = tail {
            skip_to_tail(&mut files, tail)?;
        }
        let next = files.into_iter().rev().collect();
        Ok(Self { path: path.to_owned(), current: None, next, rest: Vec::new() })
    }

    /// Some whole lines, without their newlines; none: that is all there is by now.
    pub(super) fn batch(&mut self) -> io::Result<Vec<Vec<u8>>> {
        loop {
            if self.current.is_none() {
                self.current = self.next.pop_front();
            }
            let Some(current) = &mut self.current else {
                match open(&self.path)? {
                    Some(file) => self.current = Some(file),
                    None => return Ok(Vec::new()),
                }
                continue;
            };
            let mut block = vec![0; BLOCK];
            let read = current.file.read_at(&mut block, current.offset)?;
            current.offset += read as u64;
            if read > 0 {
                let lines = self.cut(&block[..read]);
                if lines.is_empty() {
                    continue;
                }
                return Ok(lines);
            }
            if !self.advance()? {
                return Ok(Vec::new());
            }
        }
    }

    fn cut(&mut self, block: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut parts = block.split(|b| *b == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.rest.extend_from_slice(part);
            if parts.peek().is_some() {
                lines.push(std::mem::take(&mut self.rest));
            }
        }
        if self.rest.len() > LONGEST {
            self.rest.clear();
        }
        lines
    }

    /// At the end of a file: goes on to the one after it, where there is one. Only called with a current file.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(current) = &self.current else { return Ok(false) };
        let (inode, offset) = (current.inode, current.offset);
        if !self.next.is_empty() {
            self.current = None;
            return Ok(true);
        }
        let files = open_all(&self.path)?;
        match files.iter().position(|f| f.inode == inode) {
            Some(0) => Ok(false),
            at => {
                // Rotated away. What was written between our last read and the rotation comes first.
                if current.file.metadata()?.len() > offset {
                    return Ok(true);
                }
                let newer = at.unwrap_or(files.len());
                self.next = files.into_iter().take(newer).rev().collect();
                let moved = !self.next.is_empty();
                if moved {
                    self.current = None;
                }
                Ok(moved)
            }
        }
    }
}

/// Leaves (newest first) the files that hold the last `tail` lines, each at the right offset.
fn skip_to_tail(files: &mut Vec<Open>, tail: u64) -> io::Result<()> {
    let mut missing = tail;
    let mut wanted = 0;
    for file in files.iter_mut() {
        wanted += 1;
        let size = file.file.metadata()?.len();
        let (offset, found) = last_lines(&file.file, size, missing)?;
        file.offset = offset;
        missing -= found;
        if missing == 0 {
            break;
        }
    }
    files.truncate(wanted);
    Ok(())
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
        for (at, _) in block[..length].iter().enumerate().rev().filter(|(_, b)| **b == b'\n') {
            if found == wanted {
                return Ok((start + at as u64 + 1, found));
            }
            found += 1;
        }
        end = start;
    }
    Ok((0, found))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use std::fs;
    use std::io::Write;

    use super::*;

    fn drain(lines: &mut Lines) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let batch = lines.batch().unwrap();
            if batch.is_empty() {
                return all;
            }
            all.extend(batch.into_iter().map(|l| String::from_utf8(l).unwrap()));
        }
    }

    fn append(path: &Path, text: &str) {
        fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rotate(path: &Path) {
        for number in (1..4).rev() {
            let _ = fs::rename(rotated(path, number), rotated(path, number + 1));
        }
        fs::rename(path, rotated(path, 1)).unwrap();
    }

    #[test]
    fn rotated_files_come_first_and_tail_counts_across_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for n in 0..9 {
            append(&path, &format!("line {n}\n"));
            if n % 3 == 2 && n < 8 {
                rotate(&path);
            }
        }
        let all: Vec<_> = (0..9).map(|n| format!("line {n}")).collect();
        assert_eq!(drain(&mut Lines::open(&path, None).unwrap()), all);
        for tail in 0..12_usize {
            let got = drain(&mut Lines::open(&path, Some(tail as u64)).unwrap());
            assert_eq!(got, all[9_usize.saturating_sub(tail)..], "the last {tail}");
        }
    }

    #[test]
    fn what_is_written_later_comes_once_through_rotations_and_torn_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut lines = Lines::open(&path, Some(0)).unwrap();
        assert!(drain(&mut lines).is_empty());
        append(&path, "a\nb");
        assert_eq!(drain(&mut lines), ["a"]);
        append(&path, "c\n");
        assert_eq!(drain(&mut lines), ["bc"]);
        append(&path, "before\n");
        rotate(&path);
        append(&path, "x\n");
        rotate(&path);
        append(&path, "y\n");
        assert_eq!(drain(&mut lines), ["before", "x", "y"]);
        append(&path, &"z".repeat(200_000));
        append(&path, "\n");
        assert_eq!(drain(&mut lines)[0].len(), 200_000);
        assert!(drain(&mut lines).is_empty());
    }
}
