//! A container's log, read back: Docker's `json-file` format, rotated files included.
//!
//! The shim writes it; this module only reads. It knows no container: paths in, entries out.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use crate::Result;

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
    pub(crate) entries: mpsc::Receiver<Result<LogEntry>>,
}

impl LogStream {
    /// The next entry; `None`: there are no more (with `follow`: the container has ended).
    pub async fn next(&mut self) -> Option<Result<LogEntry>> {
        self.entries.recv().await
    }

    /// As [`Self::next`], for implementing a stream over it.
    pub fn poll_next(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Result<LogEntry>>> {
        self.entries.poll_recv(context)
    }
}
