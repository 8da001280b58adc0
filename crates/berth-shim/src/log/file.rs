//! The log's files: the current one, its rotation, and what happens when it cannot be written.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::protocol::LogPlan;

/// Encoded entries on their way to the file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    max_size: u64,
    max_file: u32,
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
    pub(super) fn open(plan: &LogPlan) -> Self {
        let max_size = match plan.max_size.unwrap_or(LogPlan::MAX_SIZE) {
            0 => u64::MAX,
            size => size,
        };
        let mut file = Self {
            path: plan.path.clone(),
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
        if self.max_file == 1 {
            if rustix::fs::ftruncate(file, 0).is_ok() {
                self.size = 0;
            }
            return;
        }
        for number in (1..self.max_file).rev() {
            let older = numbered(&self.path, number);
            let newer = if number == 1 { self.path.clone() } else { numbered(&self.path, number - 1) };
            // A file that is not there yet has nothing to move.
            let _ = rustix::fs::rename(newer, older);
        }
        self.file = None;
        // Otherwise the next write tries again.
        let _ = self.reopen();
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
        self.write_out(&note);
    }

    /// Writes what is torn, the note, and the buffer, in this order, as far as the disk takes them.
    fn write_out(&mut self, note: &[u8]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        if self.write_torn() && self.write_note(note) {
            self.write_entries(&buffer);
        } else {
            self.dropped += entries(&buffer);
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
        let (done, mut rest) = bytes.split_at(written);
        if done.last().is_some_and(|byte| *byte != b'\n') {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            self.torn = rest[..end].to_vec();
            rest = &rest[end..];
        }
        self.dropped += entries(rest);
        written == bytes.len()
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

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(format!(".{number}"));
    name.into()
}

fn reason(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// An entry holds no newline but its last byte.
fn entries(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
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
        let mut file = LogFile::open(&plan(path.clone(), 100, 3));
        for number in 0..100 {
            put(&mut file, &format!("line {number:04}\n"));
            if number % 7 == 0 {
                file.flush(note);
            }
        }
        file.flush(note);
        let read = |name: &Path| std::fs::read_to_string(name).unwrap_or_default();
        let files = [numbered(&path, 2), numbered(&path, 1), path.clone()].map(|name| read(&name));
        // Ten entries of ten bytes reach the size; 100 entries are ten files of which the last three are kept.
        let expected: Vec<String> = (70..100).map(|number| format!("line {number:04}\n")).collect();
        assert_eq!(files.concat(), expected.concat());
        assert!(files.iter().all(|file| file.len() == 100));
        assert!(!numbered(&path, 3).exists());
    }

    #[test]
    fn a_single_file_starts_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = LogFile::open(&plan(path.clone(), 20, 1));
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
            let mut file = LogFile::open(&plan(path.clone(), 1000, 2));
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
        let mut file = LogFile::open(&plan("/nonexistent/log".into(), 0, 1));
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
