//! Output of a container without a terminal: frames of eight bytes of head and the data.
//!
//! Head: stream (0 stdin, 1 stdout, 2 stderr, 3 an error of the daemon), three zero bytes, length as big-endian u32.

/// Which stream a piece of output belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Standard output (and what is marked as standard input).
    Stdout,
    /// Standard error.
    Stderr,
    /// A message of the daemon itself.
    System,
}

/// Takes frames apart, however they were cut on the way. Gives data out as it comes, without waiting for a whole frame.
#[derive(Debug, Default)]
pub struct Demux {
    /// The beginning of a head.
    head: Vec<u8>,
    /// The frame being read, and how much of it is still to come.
    open: Option<(Output, usize)>,
}

/// A frame of an unknown stream: the bytes are not framed at all, or something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Unrecognized input header: {0}")]
pub struct UnknownStream(pub u8);

impl Demux {
    /// Takes bytes as they were received, and gives out the pieces in them.
    ///
    /// # Errors
    /// A head names no known stream; what `give` fails with.
    pub fn feed<E: From<UnknownStream>>(
        &mut self,
        mut bytes: &[u8],
        mut give: impl FnMut(Output, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let Some((output, left)) = self.open.take() else {
                bytes = self.take_head(bytes)?;
                continue;
            };
            let (piece, rest) = bytes.split_at(bytes.len().min(left));
            if left > piece.len() {
                self.open = Some((output, left - piece.len()));
            }
            bytes = rest;
            give(output, piece)?;
        }
        Ok(())
    }

    /// Takes of a head what is there; the rest.
    fn take_head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], UnknownStream> {
        let (head, rest) = bytes.split_at(bytes.len().min(8 - self.head.len()));
        self.head.extend_from_slice(head);
        let output = match self.head[0] {
            0 | 1 => Output::Stdout,
            2 => Output::Stderr,
            3 => Output::System,
            other => return Err(UnknownStream(other)),
        };
        if let [_, _, _, _, a, b, c, d] = *self.head.as_slice() {
            self.head.clear();
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            self.open = (length > 0).then_some((output, length));
        }
        Ok(rest)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn frames_cut_anywhere() {
        let mut wire = vec![1, 0, 0, 0, 0, 0, 0, 3];
        wire.extend(b"out");
        wire.extend([2, 0, 0, 0, 0, 0, 0, 0]);
        wire.extend([2, 0, 0, 0, 0, 0, 0, 4]);
        wire.extend(b"erro");
        for cut in 1..=wire.len() {
            let mut demux = Demux::default();
            let (mut out, mut err) = (Vec::new(), Vec::new());
            for chunk in wire.chunks(cut) {
                let fed = demux.feed(chunk, |output, piece| {
                    if output == Output::Stdout {
                        out.extend(piece)
                    } else {
                        err.extend(piece)
                    }
                    Ok::<_, UnknownStream>(())
                });
                fed.unwrap();
            }
            assert_eq!((out.as_slice(), err.as_slice()), (b"out".as_slice(), b"erro".as_slice()), "cut {cut}");
        }
    }

    #[test]
    fn an_unknown_stream_is_an_error() {
        let mut demux = Demux::default();
        assert_eq!(demux.feed(b"plain text", |_, _| Ok(())), Err(UnknownStream(b'p')));
    }
}
