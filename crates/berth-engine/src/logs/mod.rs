//! A container's log, read back: Docker's `json-file` format, rotated files included.
//!
//! The shim writes it; this module only reads. It knows of a container only whether it still runs.

mod files;
mod follow;
mod limits;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use crate::options::LogOptions;
use crate::view::ContainerView;
use crate::{Error, Result};

pub(crate) use limits::limits;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output, or a terminal's.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line, or 16 KiB of a longer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it came from.
    pub stream: OutputStream,
    /// When it was written: RFC 3339 with nanoseconds, as it stands in the file.
    pub time: String,
    /// The text with its newline; a part of a longer line has none.
    pub text: String,
    /// What the line says besides.
    pub attributes: BTreeMap<String, String>,
}

/// Entries in the order in which they were written.
#[derive(Debug)]
pub struct LogStream {
    batches: mpsc::Receiver<Result<Vec<LogEntry>>>,
    ready: VecDeque<LogEntry>,
}

impl LogStream {
    /// The next entry; `None`: there are no more (with `follow`: the container has ended).
    pub async fn next(&mut self) -> Option<Result<LogEntry>> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`Self::next`], for implementing a stream over it.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<LogEntry>>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(entry)));
            }
            match ready!(self.batches.poll_recv(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(batch)) => self.ready.extend(batch),
            }
        }
    }
}

/// Starts reading; `container` tells when following is over.
pub(crate) fn read(path: PathBuf, options: LogOptions, container: watch::Receiver<Arc<ContainerView>>) -> LogStream {
    let (sender, batches) = mpsc::channel(4);
    tokio::spawn(follow::read(path, options, container, sender));
    LogStream { batches, ready: VecDeque::new() }
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    log: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    attrs: BTreeMap<String, String>,
}

/// What of a line is wanted.
enum Verdict {
    Give(LogEntry),
    Skip,
    /// It and everything after it is too late.
    Over,
}

fn judge(line: &[u8], options: &LogOptions) -> Verdict {
    // A line torn by a loss of power is not worth the rest of the log.
    let Ok(line) = serde_json::from_slice::<Line>(line) else { return Verdict::Skip };
    let stream = if line.stream == "stderr" { OutputStream::Stderr } else { OutputStream::Stdout };
    let wanted = match stream {
        OutputStream::Stdout => options.stdout,
        OutputStream::Stderr => options.stderr,
    };
    if options.since.is_some() || options.until.is_some() {
        let Ok(time) = line.time.parse::<Timestamp>() else { return Verdict::Skip };
        if options.until.is_some_and(|until| time > until) {
            return Verdict::Over;
        }
        if options.since.is_some_and(|since| time < since) {
            return Verdict::Skip;
        }
    }
    if !wanted {
        return Verdict::Skip;
    }
    Verdict::Give(LogEntry { stream, time: line.time, text: line.log, attributes: line.attrs })
}

fn unreadable(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    Error::file("reading the log", path)
}
