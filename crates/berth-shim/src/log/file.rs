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
