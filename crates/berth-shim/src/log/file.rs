//! The log's files: the current one, its rotation, and what happens when it cannot be written.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::compress::{Compression, with};
use super::format::Format;
use crate::protocol::LogPlan;

/// How much of a rotated file is compressed at once.
const SLICE: usize = 64 << 10;

/// Encoded entries on their way to the file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    format: Format,
    max_size: u64,
    max_file: u32,
    compress: bool,
    compression: Option<Compression>,
    file: Option<OwnedFd>,
    size: u64,
    buffer: Vec<u8>,
    /// The rest of an entry of which the file has the beginning; it goes first when there is space again.
    torn: Vec<u8>,
    dropped: u64,
    dropped_before: u64,
    cause: Option<Errno>,
}

impl LogFile {
    pub(super) fn open(plan: &LogPlan, format: Format) -> Self {
        let max_size = match plan.max_size.unwrap_or(LogPlan::MAX_SIZE) {
            0 => u64::MAX,
            size => size,
        };
        let mut file = Self {
            path: plan.path.clone(),
            format,
            compress: plan.compress,
            compression: None,
            max_size,
            max_file: plan.max_file.unwrap_or(LogPlan::MAX_FILE).max(1),
            file: None,
            size: 0,
            buffer: Vec::new(),
            torn: Vec::new(),
            dropped: 0,
            dropped_before: 0,
            cause: None,
        };
        // A failure is met again, counted and told by the first flush.
        let _ = file.reopen();
        file
    }

    fn reopen(&mut self) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
        let file = rustix::fs::open(&self.path, flags, Mode::from_raw_mode(0o640))?;
        self.size = rustix::fs::fstat(&file)?.st_size.cast_unsigned();
        self.file = Some(file);
        Ok(())
    }

    /// Where the next entry goes. Rotates first if the file is full, with the check of Docker: a file is full when it
    /// has reached the size, and an entry is never cut.
    pub(super) fn entry(&mut self) -> &mut Vec<u8> {
        if self.size.saturating_add(self.buffer.len() as u64) >= self.max_size && self.torn.is_empty() {
            self.rotate();
        }
        &mut self.buffer
    }

    fn rotate(&mut self) {
        self.write_out(&[]);
        let Some(file) = self.file.as_ref().filter(|_| self.torn.is_empty() && self.dropped == 0) else { return };
        // Somebody may have truncated it meanwhile.
        self.size = rustix::fs::fstat(file).map_or(self.size, |stat| stat.st_size.cast_unsigned());
        if self.size < self.max_size {
            return;
        }
        self.shift();
        self.file = None;
        // Otherwise the next write tries again.
        let _ = self.reopen();
    }

    /// Every file becomes the next older one; the oldest goes. Whoever reads one has it open, and loses nothing.
    fn shift(&mut self) {
        while self.work(SLICE) {}
        let name = |number: u32, suffix: &str| match number {
            0 => self.path.clone(),
            _ => with(&self.path, &format!(".{number}{suffix}")),
        };
        let oldest = self.max_file - 1;
        for suffix in ["", ".gz"] {
            // What is not there has nothing to lose, and below, nothing to move.
            let _ = rustix::fs::unlink(name(oldest, suffix));
            for number in (1..oldest).rev() {
                let _ = rustix::fs::rename(name(number, suffix), name(number + 1, suffix));
            }
        }
        if oldest > 0 {
            let _ = rustix::fs::rename(&self.path, name(1, ""));
        }
        if self.compress && oldest > 0 {
            self.compression = Compression::begin(&name(1, "")).ok();
        }
    }

    /// Compresses of a rotated file; false: there is none, or no more of it.
    pub(super) fn work(&mut self, bytes: usize) -> bool {
        let Some(mut compression) = self.compression.take() else { return false };
        let mut slice = vec![0; SLICE];
        for _ in 0..bytes.div_ceil(SLICE) {
            match compression.step(&mut slice) {
                Ok(false) => {}
                Ok(true) => return false,
                // It stays as it is.
                Err(_) => {
                    compression.give_up();
                    return false;
                }
            }
        }
        self.compression = Some(compression);
        true
    }

    /// Since when there has been a file to compress.
    pub(super) fn working_since(&self) -> Option<std::time::Instant> {
        self.compression.as_ref().map(Compression::began)
    }

    /// Writes everything; what the disk does not take is dropped and counted. `note` makes the entry that tells of it.
    pub(super) fn flush(&mut self, note: impl FnOnce(u64, &str) -> Vec<u8>) {
        if self.buffer.is_empty() {
            return;
        }
        let note = match self.cause {
            Some(errno) if self.dropped > 0 => note(self.dropped, &reason(errno)),
            _ => Vec::new(),
        };
        let length = self.buffer.len();
        self.write_out(&note);
        // Twice as fast as the next file grows: it is done long before that one is full.
        self.work(length * 2);
    }

    /// Writes what is torn, the note, and the buffer, in this order, as far as the disk takes them.
    fn write_out(&mut self, note: &[u8]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if self.write_torn() && self.write_note(note) {
            self.write_entries(&buffer);
        } else {
            self.dropped += self.format.count(&buffer);
        }
        buffer.clear();
        self.buffer = buffer;
    }

    fn write_torn(&mut self) -> bool {
        let torn = std::mem::take(&mut self.torn);
        let written = self.write_all(&torn);
        self.torn = torn[written..].to_vec();
        self.torn.is_empty()
    }

    /// True when all is written. Otherwise the rest of a cut entry is kept, and whole ones are dropped and counted.
    fn write_entries(&mut self, bytes: &[u8]) -> bool {
        let written = self.write_all(bytes);
        if written == bytes.len() {
            return true;
        }
        let (torn, rest) = bytes[written..].split_at(self.format.torn(bytes, written));
        self.torn = torn.to_vec();
        self.dropped += self.format.count(rest);
        false
    }

    fn write_note(&mut self, note: &[u8]) -> bool {
        let written = self.write_all(note);
        if written > 0 {
            self.dropped_before += std::mem::take(&mut self.dropped);
            self.torn = note[written..].to_vec();
        }
        written == note.len()
    }

    fn write_all(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            let result = match &self.file {
                Some(file) => rustix::io::write(file, &bytes[written..]),
                None => self.reopen().map(|()| 0),
            };
            match result {
                Ok(count) => {
                    written += count;
                    self.size += count as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => {
                    self.cause = Some(errno);
                    break;
                }
            }
        }
        written
    }

    pub(super) fn dropped_in_all(&self) -> u64 {
        self.dropped_before + self.dropped
    }

    pub(super) fn release(&mut self) {
        self.buffer = Vec::new();
    }
}

fn reason(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::path::Path;

    use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

    fn plan(path: PathBuf, max_size: u64, max_file: u32) -> LogPlan {
        LogPlan { path, max_size: Some(max_size), max_file: Some(max_file), ..LogPlan::default() }
    }

    fn put(file: &mut LogFile, entry: &str) {
        file.entry().extend_from_slice(entry.as_bytes());
    }

    fn note(dropped: u64, _: &str) -> Vec<u8> {
        format!("note {dropped}\n").into_bytes()
    }

    #[test]
    fn rotation_keeps_so_many_files_and_never_cuts_an_entry() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c-json.log");
        let mut file = LogFile::open(&plan(path.clone(), 100, 3), Format::Json);
        for number in 0..100 {
            put(&mut file, &format!("line {number:04}\n"));
            if number % 7 == 0 {
                file.flush(note);
            }
        }
        file.flush(note);
        let read = |name: &Path| std::fs::read_to_string(name).unwrap_or_default();
        let files = [with(&path, ".2"), with(&path, ".1"), path.clone()].map(|name| read(&name));
        // Ten entries of ten bytes reach the size; 100 entries are ten files of which the last three are kept.
        let expected: Vec<String> = (70..100).map(|number| format!("line {number:04}\n")).collect();
        assert_eq!(files.concat(), expected.concat());
        assert!(files.iter().all(|file| file.len() == 100));
        assert!(!with(&path, ".3").exists());
    }

    #[test]
    fn rotated_files_are_compressed_and_moved_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let plan = LogPlan { compress: true, ..plan(path.clone(), 100_000, 3) };
        let mut file = LogFile::open(&plan, Format::Json);
        let mut said = Vec::new();
        for number in 0..30_000 {
            let entry = format!("line {number:05}\n");
            put(&mut file, &entry);
            said.push(entry);
            if number % 100 == 0 {
                file.flush(note);
            }
        }
        file.flush(note);
        while file.work(SLICE) {}
        let mut found = String::new();
        for number in [2, 1] {
            let packed = std::fs::File::open(with(&path, &format!(".{number}.gz"))).unwrap();
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut found).unwrap();
        }
        found.push_str(&std::fs::read_to_string(&path).unwrap());
        assert!(said.concat().ends_with(&found) && found.len() > 200_000, "{}", found.len());
        let mut names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["log", "log.1.gz", "log.2.gz"]);
    }

    #[test]
    fn a_single_file_starts_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = LogFile::open(&plan(path.clone(), 20, 1), Format::Json);
        for entry in ["0123456789\n", "abcdefghij\n", "last\n"] {
            put(&mut file, entry);
            file.flush(note);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "last\n");
    }

    #[test]
    fn a_restarted_log_goes_on_where_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        for entry in ["one\n", "two\n"] {
            let mut file = LogFile::open(&plan(path.clone(), 1000, 2), Format::Json);
            put(&mut file, entry);
            file.flush(note);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    /// A pipe nobody empties is a disk that is full, with writes cut anywhere.
    #[test]
    fn a_full_disk_drops_whole_lines_and_tells_how_many() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
        fcntl_setpipe_size(&writer, 4096).unwrap();
        let mut file = LogFile::open(&plan("/nonexistent/log".into(), 0, 1), Format::Json);
        file.file = Some(writer);
        let (mut read, mut total) = (Vec::new(), 0_u64);
        let drink = |read: &mut Vec<u8>, most: usize| {
            let mut buffer = vec![0; most];
            if let Ok(length) = rustix::io::read(&reader, &mut buffer) {
                read.extend_from_slice(&buffer[..length]);
            }
        };
        for round in 0_usize..400 {
            for _ in 0..(round * 7 % 40) {
                put(&mut file, &format!("line {total:0width$}\n", width = 10 + round % 90));
                total += 1;
            }
            file.flush(note);
            drink(&mut read, round * 131 % 5000);
        }
        while file.dropped > 0 || !file.torn.is_empty() {
            drink(&mut read, 8192);
            put(&mut file, "line end\n");
            total += 1;
            file.flush(note);
        }
        drink(&mut read, 8192);
        let text = String::from_utf8(read).unwrap();
        let (mut lines, mut dropped) = (0, 0);
        for line in text.lines() {
            match line.split_once(' ').unwrap() {
                ("note", count) => dropped += count.parse::<u64>().unwrap(),
                ("line", _) => lines += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(dropped > 0 && text.ends_with('\n'));
        assert_eq!((lines + dropped, file.dropped_in_all()), (total, dropped));
    }
}
