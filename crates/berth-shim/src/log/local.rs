//! An entry of the `local` driver's file, as Docker writes it: a protocol buffer between its own length, twice.
//!
//! Fields: 1 source, 2 nanoseconds since 1970, 3 the line, 4 it goes on. The length (big-endian) stands on both sides, so that the
//! file can be read backwards.

use super::Stream;
use super::lines::Line;
use crate::clock::Moment;

/// Appends one entry.
pub(super) fn encode(out: &mut Vec<u8>, stream: Stream, line: Line<'_>, now: Moment) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(match stream {
        Stream::Stdout => b"\x0a\x06stdout\x10",
        Stream::Stderr => b"\x0a\x06stderr\x10",
    });
    varint(out, line.at.unwrap_or(now).nanoseconds());
    out.push(0x1a);
    varint(out, line.text.len() as u64);
    out.extend_from_slice(line.text);
    if !line.complete {
        out.extend_from_slice(&[0x20, 1]);
    }
    let length = ((out.len() - begin - 4) as u32).to_be_bytes();
    out[begin..begin + 4].copy_from_slice(&length);
    out.extend_from_slice(&length);
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The length of the first entry in `bytes`; all of them, where it is not whole.
pub(super) fn first(bytes: &[u8]) -> usize {
    let whole = |head: &[u8; 4]| u32::from_be_bytes(*head) as usize + 8;
    bytes.first_chunk().map_or(bytes.len(), whole).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_dockers() {
        let mut out = Vec::new();
        let at = Some(Moment::from_nanoseconds(300));
        encode(&mut out, Stream::Stderr, Line { text: b"hi", complete: false, at }, Moment::now());
        let body = b"\x0a\x06stderr\x10\xac\x02\x1a\x02hi\x20\x01";
        let length = (body.len() as u32).to_be_bytes();
        assert_eq!(out, [&length[..], body, &length].concat());
        assert_eq!(first(&[&out[..], b"next"].concat()), out.len());
        assert_eq!(first(&out[..3]), 3);
    }
}
