//! Which entries are wanted: by stream, time, pattern and number.

use std::collections::VecDeque;

use jiff::Timestamp;
use regex_lite::Regex;

use super::Render;
use super::entry::{LogEntry, OutputStream};
use crate::options::LogOptions;
use crate::{Error, Result};

/// A line of more pieces than this is matched by its beginning.
const LONGEST: usize = 1 << 20;

/// What is wanted, and what of it waits.
#[derive(Debug)]
pub(super) struct Selection {
    stdout: bool,
    stderr: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    tail: Option<u64>,
    grep: Option<Grep>,
    over: bool,
}

/// Lines are matched whole, although long ones are kept in pieces.
#[derive(Debug)]
struct Grep {
    pattern: Regex,
    /// Of each stream: the text of the line so far, and its rendered pieces.
    lines: [(Vec<u8>, Vec<u8>); 2],
    /// The last matches, until the end of what was written before is reached; then `None`.
    last: Option<VecDeque<Vec<u8>>>,
}

impl Selection {
    /// # Errors
    /// The pattern is none.
    pub(super) fn new(options: &LogOptions) -> Result<Self> {
        let compile = |text: &String| {
            Regex::new(text).map_err(|e| Error::Invalid(format!("invalid pattern \"{text}\" for --grep: {e}")))
        };
        let grep = options.grep.as_ref().map(compile).transpose()?;
        let last = options.tail.map(|_| VecDeque::new());
        Ok(Self {
            stdout: options.stdout,
            stderr: options.stderr,
            since: options.since,
            until: options.until,
            tail: options.tail,
            grep: grep.map(|pattern| Grep { pattern, lines: Default::default(), last }),
            over: false,
        })
    }

    /// How many entries at the end of the files will do. With a pattern, `tail` counts lines that match.
    pub(super) fn tail_of_file(&self) -> Option<u64> {
        self.tail.filter(|_| self.grep.is_none())
    }

    /// It and everything after an entry was too late.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Writes an entry out if it is wanted; false: nothing after it will be.
    pub(super) fn take(&mut self, entry: &LogEntry<'_>, render: &Render, out: &mut Vec<u8>) -> bool {
        if self.since.is_some() || self.until.is_some() {
            let Some(time) = entry.timestamp() else { return true };
            if self.until.is_some_and(|until| time > until) {
                self.over = true;
                return false;
            }
            if self.since.is_some_and(|since| time < since) {
                return true;
            }
        }
        let wanted = match entry.stream {
            OutputStream::Stdout => self.stdout,
            OutputStream::Stderr => self.stderr,
        };
        match &mut self.grep {
            _ if !wanted => {}
            Some(grep) => grep.take(entry, render, self.tail, out),
            None => render(entry, out),
        }
        true
    }

    /// The end of what was written before: the last matches are known.
    pub(super) fn caught_up(&mut self, out: &mut Vec<u8>) {
        if let Some(last) = self.grep.as_mut().and_then(|grep| grep.last.take()) {
            out.extend(last.into_iter().flatten());
        }
    }
}

impl Grep {
    fn take(&mut self, entry: &LogEntry<'_>, render: &Render, tail: Option<u64>, out: &mut Vec<u8>) {
        let (text, pieces) = &mut self.lines[usize::from(entry.stream == OutputStream::Stderr)];
        render(entry, pieces);
        text.extend_from_slice(&entry.text);
        let ended = text.pop_if(|byte| *byte == b'\n').is_some();
        if !ended && text.len() < LONGEST {
            return;
        }
        let (text, pieces) = (std::mem::take(text), std::mem::take(pieces));
        if !self.pattern.is_match(&String::from_utf8_lossy(&text)) {
            return;
        }
        let Some(last) = &mut self.last else { return out.extend(pieces) };
        last.push_back(pieces);
        if last.len() as u64 > tail.unwrap_or(u64::MAX) {
            last.pop_front();
        }
    }
}
