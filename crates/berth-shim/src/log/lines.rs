//! Cuts output into log lines: at newlines, and every 16 KiB where there are none.

use crate::clock::Moment;

/// The longest piece of a line that one entry holds, as in Docker.
pub(super) const CHUNK: usize = 16 << 10;

/// A piece of output that becomes one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Without the newline.
    pub(super) text: &'a [u8],
    /// A newline followed.
    pub(super) complete: bool,
    /// When it was said; the pieces of one line all say when its first was. `None`: now.
    pub(super) at: Option<Moment>,
}

/// One stream's unfinished line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pending: Vec<u8>,
    /// Set once a piece of the current line has been given out.
    first_piece: Option<Moment>,
}

impl Lines {
    /// Takes output and gives out the lines it completes.
    pub(super) fn feed(&mut self, mut bytes: &[u8], now: Moment, mut give: impl FnMut(Line<'_>)) {
        while !bytes.is_empty() {
            let window = &bytes[..bytes.len().min(CHUNK - self.pending.len())];
            match memchr::memchr(b'\n', window) {
                Some(newline) => {
                    self.complete(&window[..newline], &mut give);
                    bytes = &bytes[newline + 1..];
                }
                None => {
                    self.pending.extend_from_slice(window);
                    bytes = &bytes[window.len()..];
                    if self.pending.len() == CHUNK {
                        self.piece(now, &mut give);
                    }
                }
            }
        }
    }

    fn complete(&mut self, rest: &[u8], give: &mut impl FnMut(Line<'_>)) {
        let at = self.first_piece.take();
        if self.pending.is_empty() {
            return give(Line { text: rest, complete: true, at });
        }
        self.pending.extend_from_slice(rest);
        give(Line { text: &self.pending, complete: true, at });
        self.pending = Vec::new();
    }

    /// Gives out a full chunk; a character that its end would cut in two stays for the next.
    fn piece(&mut self, now: Moment, give: &mut impl FnMut(Line<'_>)) {
        let end = self.pending.len() - unfinished_character(&self.pending);
        let at = *self.first_piece.get_or_insert(now);
        give(Line { text: &self.pending[..end], complete: false, at: Some(at) });
        self.pending.drain(..end);
    }

    /// Gives out what is left when the stream ends.
    pub(super) fn end(&mut self, mut give: impl FnMut(Line<'_>)) {
        let at = self.first_piece.take();
        if !self.pending.is_empty() {
            give(Line { text: &self.pending, complete: false, at });
            self.pending = Vec::new();
        }
    }
}

/// How many bytes at the end begin a UTF-8 character without finishing it.
fn unfinished_character(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let Some(lead) = tail.iter().rposition(|byte| *byte >= 0xc0) else { return 0 };
    match std::str::from_utf8(&tail[lead..]) {
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => tail.len() - lead,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.feed(chunk, Moment::now(), |line| out.push((line.text.to_vec(), line.complete)));
        }
        lines.end(|line| out.push((line.text.to_vec(), line.complete)));
        out
    }

    #[test]
    fn a_line_of_exactly_one_chunk_is_followed_by_an_empty_end() {
        let line = [&[b'a'; CHUNK][..], b"\n"].concat();
        assert_eq!(split(&[&line]), [(vec![b'a'; CHUNK], false), (vec![], true)]);
    }

    #[test]
    fn a_character_is_not_cut() {
        let text = [&[b'a'; CHUNK - 1][..], "é\n".as_bytes()].concat();
        assert_eq!(split(&[&text]), [(vec![b'a'; CHUNK - 1], false), ("é".into(), true)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_arrives(
            parts in prop::collection::vec(("[a\\né€😀]{0,20}", 1usize..3000), 0..40),
            cuts in prop::collection::vec(1usize..9000, 1..50),
            noise in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let mut bytes: Vec<u8> = parts.iter().flat_map(|(text, times)| text.repeat(*times).into_bytes()).collect();
            bytes.truncate(200_000);
            bytes.extend(noise);
            let (mut chunks, mut at) = (Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                if at == bytes.len() { break }
                let end = (at + cut).min(bytes.len());
                chunks.push(&bytes[at..end]);
                at = end;
            }
            let lines = split(&chunks);
            let mut back = Vec::new();
            for (text, complete) in &lines {
                prop_assert!(text.len() <= CHUNK);
                back.extend_from_slice(text);
                if *complete { back.push(b'\n') }
            }
            prop_assert_eq!(back, bytes.clone());
            prop_assert_eq!(lines, split(&[&bytes]));
        }
    }
}
