//! Where an archive goes while it is made.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::buffer::spare_capacity;
use rustix::io::{Errno, read};

/// Bytes read from a file at once.
const CHUNK: usize = 256 << 10;

/// What takes an archive's bytes.
pub trait Output {
    /// Takes bytes.
    ///
    /// # Errors
    /// They cannot be passed on.
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes the next `size` bytes of an open file, or all there are; tells how many that were.
    ///
    /// # Errors
    /// They cannot be read, or passed on.
    fn file(&mut self, file: BorrowedFd<'_>, size: u64) -> io::Result<u64> {
        let (mut buffer, mut taken) = (Vec::with_capacity(CHUNK.min(length(size))), 0);
        while taken < size {
            buffer.clear();
            buffer.reserve(CHUNK.min(length(size - taken)));
            if append(file, &mut buffer, size - taken)? == 0 {
                break;
            }
            self.bytes(&buffer)?;
            taken += buffer.len() as u64;
        }
        Ok(taken)
    }
}

impl<O: Output + ?Sized> Output for &mut O {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).bytes(bytes)
    }

    fn file(&mut self, file: BorrowedFd<'_>, size: u64) -> io::Result<u64> {
        (**self).file(file, size)
    }
}

fn length(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Reads once into what `buffer` has room for, and no more than `most`.
fn append(file: BorrowedFd<'_>, buffer: &mut Vec<u8>, most: u64) -> io::Result<usize> {
    let before = buffer.len();
    loop {
        match read(file, spare_capacity(buffer)) {
            Err(Errno::INTR) => {}
            got => {
                let got = got?.min(length(most));
                // A file that grows is archived as long as its header says.
                buffer.truncate(before + got);
                return Ok(got);
            }
        }
    }
}

/// An archive that goes into any writer.
#[derive(Debug)]
pub struct Stream<W>(pub W);

impl<W: Write> Output for Stream<W> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// An archive in large pieces, each handed on as it is full: what a channel wants. File data is read right into them.
pub struct Pieces<F> {
    piece: Vec<u8>,
    hand: F,
}

impl<F> std::fmt::Debug for Pieces<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pieces").field("waiting", &self.piece.len()).finish_non_exhaustive()
    }
}

impl<F: FnMut(Vec<u8>) -> io::Result<()>> Pieces<F> {
    /// `hand` gets every piece.
    pub fn new(hand: F) -> Self {
        Self { piece: Vec::new(), hand }
    }

    /// Hands the last piece on.
    ///
    /// # Errors
    /// Nobody takes it.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { (self.hand)(std::mem::take(&mut self.piece)) }
    }

    fn room(&mut self) -> io::Result<()> {
        if self.piece.len() >= CHUNK {
            self.flush()?;
        }
        if self.piece.capacity() == 0 {
            self.piece.reserve_exact(CHUNK);
        }
        Ok(())
    }
}

impl<F: FnMut(Vec<u8>) -> io::Result<()>> Output for Pieces<F> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(CHUNK) {
            self.room()?;
            self.piece.extend_from_slice(part);
        }
        Ok(())
    }

    fn file(&mut self, file: BorrowedFd<'_>, size: u64) -> io::Result<u64> {
        let mut taken = 0;
        while taken < size {
            if self.piece.capacity() - self.piece.len() < 4096 {
                self.flush()?;
            }
            self.room()?;
            match append(file, &mut self.piece, size - taken)? {
                0 => break,
                got => taken += got as u64,
            }
        }
        Ok(taken)
    }
}
