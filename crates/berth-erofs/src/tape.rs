//! The archive on its way into the image: written in the large pieces it comes in, while headers are read from them.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;

/// Zeros of at least so many bytes are not written: they read back as zeros, and cost neither disk nor a bomb's victim.
const HOLE: usize = 64 << 10;

/// An archive that is copied to a place in a file as it is read.
pub(crate) struct Tape<'f, R> {
    input: R,
    file: &'f File,
    start: u64,
    /// Bytes that were read.
    position: u64,
    /// Bytes that were written: those read, and what the input has ready behind them.
    written: u64,
}

impl<'f, R: BufRead> Tape<'f, R> {
    pub(crate) fn new(input: R, file: &'f File, start: u64) -> Self {
        Self { input, file, start, position: 0, written: 0 }
    }

    /// Bytes that were read so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Passes over bytes without looking at them; tells how many there were.
    pub(crate) fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        let mut left = bytes;
        while left > 0 {
            let ready = self.ready()?.len();
            if ready == 0 {
                break;
            }
            let passed = left.min(ready as u64);
            self.pass(passed as usize);
            left -= passed;
        }
        Ok(bytes - left)
    }

    /// What comes next, written already; empty at the end.
    fn ready(&mut self) -> io::Result<&[u8]> {
        let known = (self.written - self.position) as usize;
        let ready = loop {
            match self.input.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                ready => break ready?.len(),
            }
        };
        // The second look finds the same bytes; the borrow of the first cannot be kept over the loop.
        let piece = self.input.fill_buf()?;
        if ready > known {
            copy(self.file, &piece[known..], self.start + self.written)?;
            self.written += (ready - known) as u64;
        }
        Ok(piece)
    }

    fn pass(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.position += bytes as u64;
    }
}

impl<R: BufRead> Read for Tape<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.ready()?;
        let got = ready.len().min(buffer.len());
        buffer[..got].copy_from_slice(&ready[..got]);
        self.pass(got);
        Ok(got)
    }
}

/// Writes what is not zeros, in as few pieces as there are.
pub(crate) fn copy(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let write = |from: usize, to: usize| match from < to {
        true => file.write_all_at(&bytes[from..to], at + from as u64).map_err(in_words),
        false => Ok(()),
    };
    let (mut from, mut here) = (0, 0);
    for window in bytes.chunks(HOLE) {
        if is_hole(window) {
            write(from, here)?;
            from = here + window.len();
        }
        here += window.len();
    }
    write(from, here)
}

fn is_hole(window: &[u8]) -> bool {
    static ZEROS: [u8; HOLE] = [0; HOLE];
    window.len() == HOLE && window == ZEROS
}

fn in_words(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("writing the layer's image: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::io::BufReader;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn all_is_copied_whatever_is_read() {
        let mut bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        bytes[70_000..250_000].fill(0);
        let file = tempfile::tempfile().unwrap();
        let mut tape = Tape::new(BufReader::with_capacity(200_000, &bytes[..]), &file, 4096);
        let mut head = [0; 1000];
        tape.read_exact(&mut head).unwrap();
        assert_eq!(head[..], bytes[..1000]);
        assert_eq!(tape.skip(250_000).unwrap(), 250_000);
        let mut rest = Vec::new();
        tape.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, bytes[251_000..]);
        assert_eq!((tape.position(), tape.skip(1).unwrap()), (300_000, 0));
        let mut copied = vec![0; 300_000];
        file.read_exact_at(&mut copied, 4096).unwrap();
        assert_eq!(copied, bytes);
    }

    #[test]
    fn zeros_take_no_room() {
        let file = tempfile::tempfile().unwrap();
        copy(&file, &vec![0; 8 << 20], 0).unwrap();
        copy(&file, b"x", 8 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().len(), (8 << 20) + 1);
        assert!(file.metadata().unwrap().blocks() < 64);
    }
}
