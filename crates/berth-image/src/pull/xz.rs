//! xz as a reader.
//!
//! The decoder takes pieces and gives pieces; this feeds it, and stops where it stops: a stream can ask the decoder's
//! own reader to go round for ever.

use std::io::{self, BufRead, Read};

use lzma_rust2::{Action, Status, XzStream};

/// The memory that a stream may ask for, in KiB: the highest level takes 65 MiB.
const MEMORY: u32 = 200 << 10;

/// Calls that may take nothing and give nothing, one after another.
const PATIENCE: usize = 8;

/// The uncompressed bytes of one xz stream after another.
pub(super) struct Xz<R> {
    input: R,
    stream: XzStream,
    ended: bool,
}

impl<R: BufRead> Xz<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, stream: XzStream::new_mem_limit(true, MEMORY), ended: false }
    }
}

impl<R: BufRead> Read for Xz<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut idle = 0;
        while !self.ended && !buffer.is_empty() {
            let input = self.input.fill_buf()?;
            let (last, action) = (input.is_empty(), if input.is_empty() { Action::Finish } else { Action::Run });
            let done = self.stream.process(input, buffer, action)?;
            self.input.consume(done.bytes_consumed);
            self.ended = done.status == Status::StreamEnd;
            if done.bytes_produced > 0 {
                return Ok(done.bytes_produced);
            }
            idle = if done.bytes_consumed > 0 { 0 } else { idle + 1 };
            match (idle > PATIENCE, last) {
                (false, _) => {}
                (true, true) => return Err(io::ErrorKind::UnexpectedEof.into()),
                (true, false) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the xz stream does not go on"));
                }
            }
        }
        Ok(0)
    }
}
