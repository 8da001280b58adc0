//! One entry of a log file, read back: a JSON line of `json-file`, or a protocol buffer of `local`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output, or a terminal's.
    Stdout,
    /// Standard error.
    Stderr,
}

/// When a line was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Time<'a> {
    /// RFC 3339, as it stands in the file.
    Text(Cow<'a, str>),
    /// Nanoseconds since 1970.
    Nanoseconds(i64),
}

/// One line, or 16 KiB of a longer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// Where it came from.
    pub stream: OutputStream,
    /// The text with its newline; a part of a longer line has none.
    pub text: Cow<'a, [u8]>,
    pub(super) time: Time<'a>,
    /// JSON; empty: none.
    pub(super) attrs: &'a [u8],
}

impl LogEntry<'_> {
    /// When it was written, with all nine digits, so that columns line up.
    #[must_use]
    pub fn stamp(&self) -> String {
        let text = match &self.time {
            Time::Text(text) => Cow::Borrowed(text.as_ref()),
            Time::Nanoseconds(_) => self.timestamp().map(|time| time.to_string()).unwrap_or_default().into(),
        };
        let Some(bare) = text.strip_suffix('Z') else { return text.into_owned() };
        let (seconds, fraction) = bare.split_once('.').unwrap_or((bare, ""));
        format!("{seconds}.{fraction:0<9}Z")
    }

    /// What the line says besides.
    #[must_use]
    pub fn attributes(&self) -> BTreeMap<String, String> {
        serde_json::from_slice(self.attrs).unwrap_or_default()
    }

    pub(super) fn timestamp(&self) -> Option<Timestamp> {
        match &self.time {
            Time::Text(text) => text.parse().ok(),
            Time::Nanoseconds(since) => Timestamp::from_nanosecond((*since).into()).ok(),
        }
    }
}

/// How a file's entries look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A JSON object a line.
    Json,
    /// A protocol buffer between its length (big-endian), twice.
    Local,
}

/// What bytes begin with.
pub(super) enum Next {
    /// An entry of that length.
    Entry(usize),
    /// The beginning of one.
    Part,
    /// No entry.
    Damage,
}

/// A longer one is none of ours.
const LONGEST: usize = 1 << 20;

impl Format {
    pub(super) fn next(self, bytes: &[u8]) -> Next {
        match self {
            Self::Json => match memchr::memchr(b'\n', bytes) {
                Some(at) => Next::Entry(at + 1),
                None if bytes.len() > LONGEST => Next::Damage,
                None => Next::Part,
            },
            Self::Local => match bytes.first_chunk().map(|head| u32::from_be_bytes(*head) as usize) {
                Some(length) if length > LONGEST => Next::Damage,
                Some(length) if length + 8 <= bytes.len() => Next::Entry(length + 8),
                _ => Next::Part,
            },
        }
    }

    /// Reads an entry of that format; `None`: it is none.
    pub(super) fn read(self, entry: &[u8]) -> Option<LogEntry<'_>> {
        match self {
            Self::Json => ours(entry).or_else(|| foreign(entry)),
            Self::Local => local(entry.get(4..entry.len().checked_sub(4)?)?),
        }
    }
}

/// A line spelled exactly as the shim spells it, without a general parser: this is what a long log is made of.
fn ours(line: &[u8]) -> Option<LogEntry<'_>> {
    let (text, rest) = string(line.strip_prefix(b"{\"log\":\"")?)?;
    let (stream, rest) = match rest.strip_prefix(b",\"stream\":\"std")? {
        [b'o', b'u', b't', b'"', rest @ ..] => (OutputStream::Stdout, rest),
        [b'e', b'r', b'r', b'"', rest @ ..] => (OutputStream::Stderr, rest),
        _ => return None,
    };
    let (attrs, rest) = match rest.strip_prefix(b",\"attrs\":") {
        Some(after) => object(after)?,
        None => (&[][..], rest),
    };
    let time = rest.strip_prefix(b",\"time\":\"")?.strip_suffix(b"\"}\n")?;
    let time = std::str::from_utf8(time).ok().filter(|time| !time.contains(['"', '\\']))?;
    Some(LogEntry { stream, text, time: Time::Text(time.into()), attrs })
}

/// The inside of a JSON string, and what follows its closing quote.
fn string(bytes: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let first = memchr::memchr2(b'"', b'\\', bytes)?;
    if bytes[first] == b'"' {
        return Some((Cow::Borrowed(&bytes[..first]), &bytes[first + 1..]));
    }
    let mut text = Vec::with_capacity(bytes.len());
    let (mut begin, mut at) = (0, first);
    while bytes[at] == b'\\' {
        text.extend_from_slice(&bytes[begin..at]);
        begin = at + 2;
        match *bytes.get(at + 1)? {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            byte @ (b'"' | b'\\' | b'/') => text.push(byte),
            b'u' => {
                let hex = std::str::from_utf8(bytes.get(at + 2..at + 6)?).ok()?;
                // Pairs of surrogates are left to the general parser.
                let character = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                begin = at + 6;
            }
            _ => return None,
        }
        at = begin + memchr::memchr2(b'"', b'\\', bytes.get(begin..)?)?;
    }
    text.extend_from_slice(&bytes[begin..at]);
    Some((Cow::Owned(text), &bytes[at + 1..]))
}

/// A flat JSON object of strings, and what follows it.
fn object(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 1;
    while *bytes.get(at)? != b'}' {
        at += if bytes[at] == b'"' { bytes.len() - at - string(&bytes[at + 1..])?.1.len() } else { 1 };
    }
    Some(bytes.split_at(at + 1))
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default, borrow)]
    log: Cow<'a, str>,
    #[serde(default, borrow)]
    stream: Cow<'a, str>,
    #[serde(default, borrow)]
    time: Cow<'a, str>,
    #[serde(default, borrow)]
    attrs: Option<&'a serde_json::value::RawValue>,
}

fn foreign(line: &[u8]) -> Option<LogEntry<'_>> {
    let Line { log, stream, time, attrs } = serde_json::from_slice(line).ok()?;
    let stream = if stream == "stderr" { OutputStream::Stderr } else { OutputStream::Stdout };
    let text = match log {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Some(LogEntry { stream, text, time: Time::Text(time), attrs: attrs.map_or(&[], |attrs| attrs.get().as_bytes()) })
}

/// Fields: 1 source, 2 nanoseconds, 3 the line, 4 it goes on; others are Docker's and not needed.
fn local(mut bytes: &[u8]) -> Option<LogEntry<'_>> {
    let (mut stream, mut time, mut text, mut partial) = (OutputStream::Stdout, 0, &[][..], false);
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        match (key >> 3, key & 7) {
            (number, 0) => match (number, varint(&mut bytes)?) {
                (2, value) => time = value.cast_signed(),
                (4, value) => partial = value != 0,
                _ => {}
            },
            (number, 2) => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let value = bytes.get(..length)?;
                bytes = &bytes[length..];
                match number {
                    1 if value == b"stderr" => stream = OutputStream::Stderr,
                    3 => text = value,
                    _ => {}
                }
            }
            _ => return None,
        }
    }
    let text = if partial { Cow::Borrowed(text) } else { Cow::Owned([text, b"\n"].concat()) };
    Some(LogEntry { stream, text, time: Time::Nanoseconds(time), attrs: &[] })
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_of_ours_is_read_as_the_general_parser_reads_it() {
        for line in [
            r#"{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05.06Z"}"#,
            r#"{"log":"a\"b\\ \u003c\u2028é\r\n","stream":"stderr","time":"2026-01-02T03:04:05.06Z"}"#,
            r#"{"log":"","stream":"stdout","attrs":{"a":"}\"","b":"2"},"time":"2026-01-02T03:04:05Z"}"#,
        ] {
            let line = format!("{line}\n");
            assert_eq!(ours(line.as_bytes()).unwrap(), foreign(line.as_bytes()).unwrap(), "{line}");
        }
        let strange = br#"{ "stream":"stderr", "log":"\ud83d\ude00\n", "time":"2026-01-02T03:04:05.06Z" }"#;
        let entry = Format::Json.read(strange).unwrap();
        assert_eq!((entry.text.as_ref(), entry.stream), ("😀\n".as_bytes(), OutputStream::Stderr));
        assert_eq!(entry.stamp(), "2026-01-02T03:04:05.060000000Z");
    }

    #[test]
    fn attributes_are_read_when_asked_for() {
        let line = b"{\"log\":\"x\",\"stream\":\"stdout\",\"attrs\":{\"a\":\"<\"},\"time\":\"2026-01-02T03:04:05Z\"}\n";
        let entry = Format::Json.read(line).unwrap();
        assert_eq!(entry.attributes(), BTreeMap::from([("a".to_owned(), "<".to_owned())]));
        assert_eq!(entry.stamp(), "2026-01-02T03:04:05.000000000Z");
    }

    #[test]
    fn a_local_entry_is_dockers() {
        let body = b"\x0a\x06stderr\x10\xac\x02\x1a\x02hi\x20\x01\x2a\x02\x08\x01";
        let length = (body.len() as u32).to_be_bytes();
        let bytes = [&length[..], body, &length].concat();
        let entry = Format::Local.read(&bytes).unwrap();
        assert_eq!((entry.text.as_ref(), entry.stream), (&b"hi"[..], OutputStream::Stderr));
        assert_eq!(entry.stamp(), "1970-01-01T00:00:00.000000300Z");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Format::Json.read(&bytes), Format::Local.read(&bytes), local(&bytes));
        }

        #[test]
        fn a_string_of_any_escapes_is_read_as_the_general_parser_reads_it(text in "([a-z\"]|\\\\[nrt\"/u\\\\0-9a-f]|é){0,40}") {
            let line = format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}}\n");
            if let Some(entry) = ours(line.as_bytes()) {
                prop_assert_eq!(foreign(line.as_bytes()), Some(entry));
            }
        }
    }
}
