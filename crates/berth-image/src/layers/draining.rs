//! An archive on its way into a layer's image, of which the disk gets what has come so far: at the end, when all of it
//! has to be durable, little is left to be waited for.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;

/// Bytes that the kernel is asked to write at once.
const STEP: u64 = 8 << 20;

/// Passes an archive on to whoever writes it to `file`, from `start` on, before taking more.
pub(super) struct Draining<'f, R> {
    archive: R,
    file: &'f File,
    /// Where in the file the next byte goes.
    position: u64,
    /// What lies before it is on its way to the disk.
    begun: u64,
}

impl<'f, R> Draining<'f, R> {
    pub(super) fn new(archive: R, file: &'f File, start: u64) -> Self {
        Self { archive, file, position: start, begun: start }
    }

    fn passed(&mut self, bytes: usize) {
        self.position += bytes as u64;
        let waiting = self.position - self.begun;
        if waiting >= STEP {
            // Whether the disk takes it is found out when it has to be durable.
            let _ = berth_sys::writeback::begin(self.file.as_fd(), self.begun, waiting);
            self.begun = self.position;
        }
    }
}

impl<R: BufRead> BufRead for Draining<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.archive.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.archive.consume(bytes);
        self.passed(bytes);
    }
}

impl<R: Read> Read for Draining<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.archive.read(buffer)?;
        self.passed(got);
        Ok(got)
    }
}
