//! The container's log: a file kept here (Docker's `json-file` or `local` format, rotated by size), a log service, or
//! both.
//!
//! Owns the cutting of output into lines, their encoding, the files and the connection to the service. [`Log::append`]
//! returns after the write: what was read from the container is in the kernel's hands before anybody else gets it. A disk that is
//! full stops nobody: lines are dropped and counted, and the log says how many as soon as it can. What a slow service
//! does, `remote` says.

mod compress;
mod entry;
mod file;
mod format;
mod journal;
mod lines;
mod local;
mod queue;
mod remote;
mod syslog;
mod tls;

use std::time::Instant;

use rustix::event::epoll::EventFlags;

use crate::clock::Moment;
use crate::poller::{Poller, Token};
use crate::protocol::{LogDriver, LogPlan};
use entry::Encoder;
use file::LogFile;
use format::Format;
use lines::{Line, Lines};
use remote::Remote;

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

/// The file kept here.
#[derive(Debug)]
struct Kept {
    format: Format,
    encoder: Encoder,
    file: LogFile,
}

impl Kept {
    fn open(plan: &LogPlan, format: Format) -> Self {
        Self { format, encoder: Encoder::new(&plan.attrs), file: LogFile::open(plan, format) }
    }

    fn write(&mut self, stream: Stream, line: Line<'_>, now: Moment) {
        let out = self.file.entry();
        match self.format {
            Format::Json => self.encoder.encode(out, stream, line),
            Format::Local => local::encode(out, stream, line, now),
        }
    }

    fn flush(&mut self) {
        let Self { format, encoder, file } = self;
        file.flush(|dropped, cause| {
            let text = format!("berth: {dropped} log lines were dropped: {cause}");
            let (line, now) = (Line { text: text.as_bytes(), complete: true, at: None }, Moment::now());
            let mut out = Vec::new();
            match format {
                Format::Json => {
                    encoder.at(now);
                    encoder.encode(&mut out, Stream::Stderr, line);
                }
                Format::Local => local::encode(&mut out, Stream::Stderr, line, now),
            }
            out
        });
    }
}

/// A log being written.
#[derive(Debug)]
pub(crate) struct Log {
    lines: [Lines; 2],
    kept: Option<Kept>,
    remote: Option<Remote>,
}

impl Log {
    /// The log as planned; `None` where none is wanted.
    pub(crate) fn open(plan: &LogPlan) -> Option<Self> {
        let kept = match plan.driver {
            LogDriver::None => None,
            LogDriver::JsonFile => Some(Kept::open(plan, Format::Json)),
            LogDriver::Local => Some(Kept::open(plan, Format::Local)),
        };
        let remote = plan.remote.as_ref().map(Remote::new);
        let wanted = kept.is_some() || remote.is_some();
        wanted.then(|| Self { lines: Default::default(), kept, remote })
    }

    /// Writes what the container said.
    pub(crate) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        let now = Moment::now();
        let Self { lines, kept, remote } = self;
        if let Some(kept) = kept {
            kept.encoder.at(now);
        }
        lines[stream.index()].feed(bytes, now, |line| put(kept, remote, stream, line, now));
        self.flush();
    }

    /// The stream is over: an unfinished line is written as it stands.
    pub(crate) fn end(&mut self, stream: Stream) {
        let now = Moment::now();
        let Self { lines, kept, remote } = self;
        lines[stream.index()].end(|line| put(kept, remote, stream, line, now));
        self.flush();
    }

    fn flush(&mut self) {
        if let Some(remote) = &mut self.remote {
            remote.flush();
            for sentence in remote.sentences() {
                if let Some(kept) = &mut self.kept {
                    let now = Moment::now();
                    kept.encoder.at(now);
                    kept.write(Stream::Stderr, Line { text: sentence.as_bytes(), complete: true, at: None }, now);
                }
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.flush();
        }
    }

    /// The log service takes no more for now, and the container is to wait for it.
    pub(crate) fn is_full(&self) -> bool {
        self.remote.as_ref().is_some_and(Remote::is_full)
    }

    /// The socket to the log service is ready for something.
    pub(crate) fn ready(&mut self, flags: EventFlags) {
        if let Some(remote) = &mut self.remote {
            remote.ready(flags);
        }
        self.flush();
    }

    /// Tells the poller what is waited for.
    pub(crate) fn watch(&mut self, poller: &Poller, token: Token) {
        if let Some(remote) = &mut self.remote {
            remote.watch(poller, token);
        }
    }

    /// When to look again though nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let working = self.kept.as_ref().and_then(|kept| kept.file.working_since());
        let remote = self.remote.as_ref().and_then(Remote::deadline);
        [working, remote].into_iter().flatten().min()
    }

    /// Does what there is time for: a slice of compression, another try to reach the service.
    pub(crate) fn expire(&mut self, now: Instant) {
        if let Some(kept) = &mut self.kept {
            kept.file.work(1);
        }
        if let Some(remote) = &mut self.remote {
            remote.expire(now);
            self.flush();
        }
    }

    /// After the last line: nothing is left to be done.
    pub(crate) fn is_done(&self) -> bool {
        self.remote.as_ref().is_none_or(Remote::is_done)
            && self.kept.as_ref().is_none_or(|kept| kept.file.working_since().is_none())
    }

    /// Lines that could not be written so far.
    pub(crate) fn dropped(&self) -> u64 {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.file.dropped_in_all());
        kept + self.remote.as_ref().map_or(0, Remote::dropped_in_all)
    }

    /// Gives buffers back while nothing is said.
    pub(crate) fn release(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.file.release();
        }
        if let Some(remote) = &mut self.remote {
            remote.release();
        }
    }
}

fn put(kept: &mut Option<Kept>, remote: &mut Option<Remote>, stream: Stream, line: Line<'_>, now: Moment) {
    if let Some(kept) = kept {
        kept.write(stream, line, now);
    }
    if let Some(remote) = remote {
        remote.offer(stream, line, now);
    }
}
