//! Where an archive comes from that comes in pieces.

use std::fmt;
use std::io::{self, BufRead, Read};

/// Pieces that come one after another, as a reader: what [`Pieces`](crate::Pieces) hands on, behind a channel.
pub struct Joined<P> {
    next: Box<dyn FnMut() -> Option<io::Result<P>> + Send>,
    piece: Option<P>,
    taken: usize,
}

impl<P> fmt::Debug for Joined<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl<P: AsRef<[u8]>> Joined<P> {
    /// `next` gives every piece, and `None` at the end; it may wait.
    pub fn new(next: impl FnMut() -> Option<io::Result<P>> + Send + 'static) -> Self {
        Self { next: Box::new(next), piece: None, taken: 0 }
    }

    fn rest(&self) -> &[u8] {
        self.piece.as_ref().map_or(&[], |piece| &piece.as_ref()[self.taken..])
    }
}

impl<P: AsRef<[u8]>> BufRead for Joined<P> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.rest().is_empty() {
            let Some(piece) = (self.next)().transpose()? else { break };
            (self.piece, self.taken) = (Some(piece), 0);
        }
        Ok(self.rest())
    }

    fn consume(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

impl<P: AsRef<[u8]>> Read for Joined<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(buffer)?;
        self.consume(got);
        Ok(got)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn in_order_and_up_to_what_is_wrong() {
        let mut pieces = [Ok("ab"), Ok(""), Ok("cde"), Err(io::ErrorKind::BrokenPipe.into())].into_iter();
        let mut joined = Joined::new(move || pieces.next());
        let mut got = [0; 4];
        joined.read_exact(&mut got).unwrap();
        assert_eq!((&got, joined.fill_buf().unwrap()), (b"abcd", &b"e"[..]));
        joined.consume(1);
        assert_eq!(joined.fill_buf().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(joined.read(&mut got).unwrap(), 0);
    }
}
