//! A message to journald in its native protocol: `NAME=value` a line; a value with newlines is preceded by its length.

use super::Stream;
use super::lines::Line;

/// The fields of a container, and where its unfinished lines stand.
#[derive(Debug)]
pub(super) struct Journal {
    fixed: Vec<u8>,
    ordinal: [u64; 2],
    /// Tells the lines of one stream apart.
    line: [u64; 2],
}

impl Journal {
    pub(super) fn new(fields: &[(String, String)]) -> Self {
        let mut fixed = Vec::new();
        for (name, value) in fields {
            field(&mut fixed, name, value.as_bytes());
        }
        Self { fixed, ordinal: [0; 2], line: [0; 2] }
    }

    pub(super) fn encode(&mut self, out: &mut Vec<u8>, stream: Stream, line: Line<'_>) {
        out.extend_from_slice(&self.fixed);
        out.extend_from_slice(match stream {
            Stream::Stdout => b"PRIORITY=6\n",
            Stream::Stderr => b"PRIORITY=3\n",
        });
        if line.at.is_some() {
            self.piece(out, stream, line.complete);
        }
        field(out, "MESSAGE", line.text);
    }

    /// What a piece of a long line says besides.
    fn piece(&mut self, out: &mut Vec<u8>, stream: Stream, last: bool) {
        let index = stream.index();
        self.ordinal[index] += 1;
        let id = format!("{}{:012x}", stream as u8, self.line[index]);
        field(out, "CONTAINER_PARTIAL_MESSAGE", b"true");
        field(out, "CONTAINER_PARTIAL_ID", id.as_bytes());
        field(out, "CONTAINER_PARTIAL_ORDINAL", self.ordinal[index].to_string().as_bytes());
        field(out, "CONTAINER_PARTIAL_LAST", if last { b"true" } else { b"false" });
        if last {
            self.ordinal[index] = 0;
            self.line[index] += 1;
        }
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    #[test]
    fn fields_are_lines_and_values_with_newlines_are_counted() {
        let mut journal = Journal::new(&[("A".into(), "b".into()), ("L".into(), "x\ny".into())]);
        let mut out = Vec::new();
        journal.encode(&mut out, Stream::Stderr, Line { text: b"hi", complete: true, at: None });
        assert_eq!(out, b"A=b\nL\n\x03\0\0\0\0\0\0\0x\ny\nPRIORITY=3\nMESSAGE=hi\n");
    }

    #[test]
    fn pieces_of_a_line_are_numbered_and_the_last_says_so() {
        let mut journal = Journal::new(&[]);
        let mut say = |complete, at| {
            let mut out = Vec::new();
            journal.encode(&mut out, Stream::Stdout, Line { text: b"", complete, at });
            String::from_utf8_lossy(&out).into_owned()
        };
        let now = Some(Moment::now());
        let (first, last, plain) = (say(false, now), say(true, now), say(true, None));
        assert!(first.contains("ORDINAL=1\nCONTAINER_PARTIAL_LAST=false\n"), "{first}");
        assert!(last.contains("ORDINAL=2\nCONTAINER_PARTIAL_LAST=true\n"), "{last}");
        assert!(!plain.contains("PARTIAL"), "{plain}");
    }
}
