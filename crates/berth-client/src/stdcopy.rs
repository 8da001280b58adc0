//! Output of a container without a terminal: frames of eight bytes of head and the data.
//!
//! Head: stream (0 stdin, 1 stdout, 2 stderr, 3 an error of the daemon), three zero bytes, length as big-endian u32.

use bytes::{Buf, Bytes, BytesMut};

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
    pending: BytesMut,
    /// The frame being read, and how much of it is still to come.
    open: Option<(Output, usize)>,
}

/// A frame of an unknown stream: the bytes are not framed at all, or something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Unrecognized input header: {0}")]
pub struct UnknownStream(pub u8);

impl Demux {
    /// Adds bytes as they were received.
    pub fn push(&mut self, data: &[u8]) {
        self.pending.extend_from_slice(data);
    }

    /// The next piece; `None` until more is pushed.
    ///
    /// # Errors
    /// A head names no known stream.
    pub fn next_piece(&mut self) -> Result<Option<(Output, Bytes)>, UnknownStream> {
        loop {
            if let Some((output, left)) = self.open {
                if left == 0 {
                    self.open = None;
                    continue;
                }
                if self.pending.is_empty() {
                    return Ok(None);
                }
                let piece = self.pending.split_to(left.min(self.pending.len())).freeze();
                self.open = Some((output, left - piece.len()));
                return Ok(Some((output, piece)));
            }
            if self.pending.len() < 8 {
                return Ok(None);
            }
            let output = match self.pending[0] {
                0 | 1 => Output::Stdout,
                2 => Output::Stderr,
                3 => Output::System,
                other => return Err(UnknownStream(other)),
            };
            self.pending.advance(4);
            self.open = Some((output, self.pending.get_u32() as usize));
        }
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
                demux.push(chunk);
                while let Some((output, piece)) = demux.next_piece().unwrap() {
                    if output == Output::Stdout { out.extend(piece) } else { err.extend(piece) }
                }
            }
            assert_eq!((out.as_slice(), err.as_slice()), (b"out".as_slice(), b"erro".as_slice()), "cut {cut}");
        }
    }

    #[test]
    fn an_unknown_stream_is_an_error() {
        let mut demux = Demux::default();
        demux.push(b"plain text");
        assert_eq!(demux.next_piece(), Err(UnknownStream(b'p')));
    }
}
