//! A layer's archive between the thread that decompresses it and the one that writes it.
//!
//! Pieces are large and travel to and fro: nothing is copied between the two threads and nothing allocated on the way.
//! Whoever takes the digest looks at the pieces before they are sent, beside the writing.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// Pieces that wait.
const QUEUE: usize = 4;

/// The reading end.
pub(super) struct Stream {
    pieces: Receiver<io::Result<Vec<u8>>>,
    used: Sender<Vec<u8>>,
    current: Vec<u8>,
    taken: usize,
    length: u64,
}

/// The end that [`Pump::run`] fills.
pub(super) struct Pump {
    pieces: SyncSender<io::Result<Vec<u8>>>,
    used: Receiver<Vec<u8>>,
}

/// Both ends.
pub(super) fn stream() -> (Pump, Stream) {
    let (to, pieces) = sync_channel(QUEUE);
    let (used, from) = channel();
    let stream = Stream { pieces, used, current: Vec::new(), taken: 0, length: 0 };
    (Pump { pieces: to, used: from }, stream)
}

impl Pump {
    /// Passes on what `input` has, until its end or until nobody wants more. `look` is shown all of it.
    pub(super) fn run(self, mut input: impl Read, mut look: impl FnMut(&[u8])) {
        loop {
            let mut piece = self.used.try_recv().unwrap_or_default();
            piece.resize(PIECE, 0);
            let read = fill(&mut input, &mut piece);
            let last = !matches!(read, Ok(PIECE));
            let piece = read.map(|length| {
                piece.truncate(length);
                look(&piece);
                piece
            });
            if self.pieces.send(piece).is_err() || last {
                return;
            }
        }
    }
}

/// Reads until the buffer is full or the input has ended.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

impl Stream {
    /// The length of all that came.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.taken == self.current.len() {
            let Ok(piece) = self.pieces.recv() else { break };
            let piece = piece?;
            self.length += piece.len() as u64;
            // Nobody may want it back any more.
            let _ = self.used.send(std::mem::replace(&mut self.current, piece));
            self.taken = 0;
        }
        Ok(&self.current[self.taken..])
    }

    fn consume(&mut self, bytes: usize) {
        self.taken += bytes;
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let got = ready.len().min(buffer.len());
        buffer[..got].copy_from_slice(&ready[..got]);
        self.consume(got);
        Ok(got)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_in_order() {
        let bytes: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut seen = Vec::new();
        let (pump, mut stream) = stream();
        let mut came = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| pump.run(&bytes[..], |piece| seen.extend_from_slice(piece)));
            stream.read_to_end(&mut came).unwrap();
        });
        assert_eq!(came, bytes);
        assert_eq!(stream.length(), bytes.len() as u64);
        assert_eq!(seen, bytes);
    }

    #[test]
    fn an_error_comes_through() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let (pump, mut stream) = stream();
        pump.run((&b"some"[..]).chain(Broken), |_| ());
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap_err().to_string(), "broken");
    }
}
