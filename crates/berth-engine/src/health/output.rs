//! What a check prints: frames in, the first four kilobytes out.

/// As many bytes as Docker keeps.
const KEPT: usize = 4096;

/// Takes the frames of an exec session's stream and keeps the beginning of what they hold.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// Of the frame's head: eight bytes, the last four its length.
    head: Vec<u8>,
    /// Of the frame still to come.
    left: usize,
    kept: Vec<u8>,
    cut: bool,
}

impl Output {
    /// Takes bytes as they come, cut anywhere.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(8 - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if let [_, _, _, _, length @ ..] = self.head.as_slice()
                    && let Ok(length) = <[u8; 4]>::try_from(length)
                {
                    self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                    self.head.clear();
                }
                continue;
            }
            let (text, rest) = bytes.split_at(bytes.len().min(self.left));
            self.left -= text.len();
            self.keep(text);
            bytes = rest;
        }
    }

    fn keep(&mut self, text: &[u8]) {
        let room = KEPT - self.kept.len();
        self.cut |= text.len() > room;
        self.kept.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// The beginning, and a mark where there was more.
    pub(super) fn into_text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        if self.cut {
            text.push_str("...");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[1, 0, 0, 0][..], &length, text].concat()
    }

    fn text(stream: &[u8], piece: usize) -> String {
        let mut output = Output::default();
        stream.chunks(piece.max(1)).for_each(|bytes| output.feed(bytes));
        output.into_text()
    }

    #[test]
    fn only_the_beginning_is_kept() {
        let stream = [frame(b"one\n"), frame(b""), frame(b"two\n")].concat();
        assert_eq!(text(&stream, 3), "one\ntwo\n");
        let full = vec![b'x'; KEPT];
        assert_eq!(text(&frame(&full), 1000).len(), KEPT);
        let more = text(&[frame(&full), frame(b"y")].concat(), 1000);
        assert!(more.len() == KEPT + 3 && more.ends_with("x..."), "{}", more.len());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces(stream in prop::collection::vec(any::<u8>(), 0..9000), piece in 1_usize..600) {
            prop_assert_eq!(text(&stream, piece), text(&stream, stream.len()));
        }
    }
}
