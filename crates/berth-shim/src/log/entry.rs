//! One log line as Docker's `json-file` driver spells it, byte for byte:
//! `{"log":"…\n","stream":"stdout","attrs":{…},"time":"…"}`, with the escapes of Go's `encoding/json`.

use std::collections::BTreeMap;
use std::io::Write;

use super::Stream;
use super::lines::Line;
use crate::clock::Moment;

/// Writes entries; holds what does not change from line to line.
#[derive(Debug)]
pub(super) struct Encoder {
    /// `,"attrs":{…}` or nothing.
    attrs: Vec<u8>,
    now: String,
}

impl Encoder {
    pub(super) fn new(attrs: &BTreeMap<String, String>) -> Self {
        let mut text = Vec::new();
        for (at, (key, value)) in attrs.iter().enumerate() {
            text.extend_from_slice(if at == 0 { b",\"attrs\":{\"" } else { b",\"" });
            escape(key.as_bytes(), &mut text);
            text.extend_from_slice(b"\":\"");
            escape(value.as_bytes(), &mut text);
            text.push(b'"');
        }
        if !attrs.is_empty() {
            text.push(b'}');
        }
        Self { attrs: text, now: String::new() }
    }

    /// Sets the time that lines bear unless they have their own.
    pub(super) fn at(&mut self, now: Moment) {
        self.now.clear();
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(self.now, "{now}");
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>, stream: Stream, line: Line<'_>) {
        out.extend_from_slice(b"{\"log\":\"");
        escape(line.text, out);
        if line.complete {
            out.extend_from_slice(b"\\n");
        }
        out.extend_from_slice(match stream {
            Stream::Stdout => b"\",\"stream\":\"stdout\"",
            Stream::Stderr => b"\",\"stream\":\"stderr\"",
        });
        out.extend_from_slice(&self.attrs);
        out.extend_from_slice(b",\"time\":\"");
        match line.at {
            // Writing to a Vec cannot fail.
            Some(moment) => drop(write!(out, "{moment}")),
            None => out.extend_from_slice(self.now.as_bytes()),
        }
        out.extend_from_slice(b"\"}\n");
    }
}

/// Appends the inside of a JSON string as Go's encoder writes it: `<`, `>`, `&`, U+2028 and U+2029 escaped, each byte that is
/// not UTF-8 replaced by `\ufffd`.
fn escape(mut bytes: &[u8], out: &mut Vec<u8>) {
    let plain = plain(bytes);
    out.extend_from_slice(&bytes[..plain]);
    bytes = &bytes[plain..];
    while !bytes.is_empty() {
        match std::str::from_utf8(bytes) {
            Ok(_) => return escape_valid(bytes, out),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                escape_valid(valid, out);
                out.extend_from_slice(b"\\ufffd");
                bytes = &rest[1..];
            }
        }
    }
}

/// How many bytes at the beginning are ASCII that stands for itself. Whole blocks are looked at without a branch a
/// byte, which the compiler makes vector instructions of.
fn plain(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let special = |byte: u8| {
        !(0x20..0x80).contains(&byte)
            | (byte == b'"')
            | (byte == b'\\')
            | (byte == b'<')
            | (byte == b'>')
            | (byte == b'&')
    };
    let mut blocks = bytes.chunks_exact(BLOCK);
    let whole = blocks.by_ref().take_while(|block| !block.iter().fold(false, |any, byte| any | special(*byte)));
    let begin = whole.count() * BLOCK;
    begin + bytes[begin..].iter().take_while(|byte| !special(**byte)).count()
}

/// Bytes that need a look: controls, what JSON and HTML treat specially, and the first byte of U+2028.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[b'<' as usize] = true;
    table[b'>' as usize] = true;
    table[b'&' as usize] = true;
    table[0xe2] = true;
    table
};

fn escape_valid(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut plain = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if !SPECIAL[byte as usize] {
            at += 1;
            continue;
        }
        let width = match byte {
            0xe2 if !matches!(bytes[at..], [_, 0x80, 0xa8 | 0xa9, ..]) => {
                at += 3;
                continue;
            }
            0xe2 => 3,
            _ => 1,
        };
        out.extend_from_slice(&bytes[plain..at]);
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0xe2 => out.extend_from_slice(&[b'\\', b'u', b'2', b'0', b'2', HEX[(bytes[at + 2] & 0xf) as usize]]),
            _ => {
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 0xf) as usize]])
            }
        }
        at += width;
        plain = at;
    }
    out.extend_from_slice(&bytes[plain..]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_are_those_of_go() {
        let table: [(&[u8], &str); 8] = [
            (b"plain \x7f", "plain \x7f"),
            (b"a\tb\x1b[1m", "a\\u0009b\\u001b[1m"),
            (b"\"\\\r\n", "\\\"\\\\\\r\\n"),
            (b"<a>&", "\\u003ca\\u003e\\u0026"),
            ("é€😀–".as_bytes(), "é€😀–"),
            ("\u{2028}\u{2029}\u{202a}".as_bytes(), "\\u2028\\u2029\u{202a}"),
            (b"\xff\xc3", "\\ufffd\\ufffd"),
            // A surrogate half and a truncated character: one replacement a byte.
            (b"\xed\xa0\x80\xe2\x82", "\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"),
        ];
        for (bytes, text) in table {
            assert_eq!(escaped(bytes), text);
        }
    }

    #[test]
    fn an_entry_is_dockers() {
        let mut encoder = Encoder::new(&[("b".to_owned(), "<x>".to_owned()), ("a".into(), "1".into())].into());
        encoder.now = "2026-01-02T03:04:05.6Z".into();
        let mut out = Vec::new();
        encoder.encode(&mut out, Stream::Stderr, Line { text: b"hi", complete: true, at: None });
        let expected = "{\"log\":\"hi\\n\",\"stream\":\"stderr\",\"attrs\":{\"a\":\"1\",\"b\":\"\\u003cx\\u003e\"},\
            \"time\":\"2026-01-02T03:04:05.6Z\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn a_json_parser_reads_the_text_back(text in "\\PC*[\\x00-\\x7f\u{2020}-\u{2030}]*") {
            let back: String = serde_json::from_str(&format!("\"{}\"", escaped(text.as_bytes()))).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn any_bytes_make_valid_json(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _: String = serde_json::from_str(&format!("\"{}\"", escaped(&bytes))).unwrap();
        }
    }
}
