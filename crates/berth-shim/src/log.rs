//! The container's log in Docker's `json-file` format: one JSON object a line, rotated by size.
//!
//! Owns the cutting of output into lines, their encoding, and the files. [`Log::append`] returns after the write: what
//! was read from the container is in the kernel's hands before anybody else gets it. A disk that is full stops
//! nobody: lines are dropped and counted, and the log says how many as soon as it can.

mod entry;
mod file;
mod lines;

use crate::clock::Moment;
use crate::protocol::{LogDriver, LogPlan};
use entry::Encoder;
use file::LogFile;
use lines::Lines;

/// An output stream, numbered as in Docker's multiplexed frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or all that a pty says.
    Stdout = 1,
    /// Standard error.
    Stderr = 2,
}

impl Stream {
    fn index(self) -> usize {
        self as usize - 1
    }
}

/// A log being written.
#[derive(Debug)]
pub(crate) struct Log {
    lines: [Lines; 2],
    encoder: Encoder,
    file: LogFile,
}

impl Log {
    /// The log as planned; `None` where none is kept.
    pub(crate) fn open(plan: &LogPlan) -> Option<Self> {
        match plan.driver {
            LogDriver::None => None,
            LogDriver::JsonFile => {
                Some(Self { lines: Default::default(), encoder: Encoder::new(&plan.attrs), file: LogFile::open(plan) })
            }
        }
    }

    /// Writes what the container said.
    pub(crate) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        let now = Moment::now();
        let (encoder, file) = (&mut self.encoder, &mut self.file);
        encoder.at(now);
        self.lines[stream.index()].feed(bytes, now, |line| {
            encoder.encode(file.entry(), stream, line);
        });
        self.flush();
    }

    /// The stream is over: an unfinished line is written as it stands.
    pub(crate) fn end(&mut self, stream: Stream) {
        let (encoder, file) = (&mut self.encoder, &mut self.file);
        self.lines[stream.index()].end(|line| encoder.encode(file.entry(), stream, line));
        self.flush();
    }

    fn flush(&mut self) {
        let encoder = &mut self.encoder;
        self.file.flush(|dropped, cause| encoder.note(dropped, cause));
    }

    /// Lines that could not be written so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.file.dropped_in_all()
    }

    /// Gives buffers back while nothing is said.
    pub(crate) fn release(&mut self) {
        self.file.release();
    }
}
