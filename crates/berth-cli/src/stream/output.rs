//! A container's output to ours: framed or raw, stdout and stderr kept apart.

use berth_client::stdcopy::{Demux, Output};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;

use crate::failure::Failure;

/// Where output goes.
#[derive(Debug)]
pub(crate) struct Sink {
    demux: Option<Demux>,
    stdout: bool,
    stderr: bool,
    gathered: Gathered,
}

impl Sink {
    /// `raw`: the bytes are not framed.
    pub(crate) fn new(raw: bool, stdout: bool, stderr: bool) -> Self {
        Self { demux: (!raw).then(Demux::default), stdout, stderr, gathered: Gathered::default() }
    }

    /// Writes bytes as they came. A reader of ours that has gone away is not told apart from one that reads.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Self { demux: Some(demux), stdout, stderr, gathered } = self else {
            return write_all(rustix::stdio::stdout(), bytes);
        };
        demux.feed(bytes, |output, piece| match output {
            Output::Stdout if !*stdout => Ok(()),
            Output::Stderr if !*stderr => Ok(()),
            Output::System => {
                let text = String::from_utf8_lossy(piece).into_owned();
                Err(Failure::new(format!("error from daemon in stream: {text}")))
            }
            output => gathered.add(output, piece),
        })?;
        gathered.flush()
    }
}

/// Pieces of one stream that follow each other, as lines of a log do: written together.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    stderr: bool,
}

/// A piece of this size is worth a write of its own.
const LARGE: usize = 16 << 10;

impl Gathered {
    fn add(&mut self, output: Output, piece: &[u8]) -> Result<(), Failure> {
        let stderr = output == Output::Stderr;
        if stderr != self.stderr || piece.len() >= LARGE {
            self.flush()?;
            self.stderr = stderr;
        }
        if piece.len() >= LARGE {
            return write_all(self.target(), piece);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    fn target(&self) -> BorrowedFd<'static> {
        if self.stderr { rustix::stdio::stderr() } else { rustix::stdio::stdout() }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let written = write_all(self.target(), &self.bytes);
        self.bytes.clear();
        written
    }
}

/// Unbuffered; waits where the descriptor was made non-blocking by somebody who shares it.
fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Failure> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None),
            Err(Errno::PIPE) => return Err(Failure::silent(1)),
            Err(error) => return Err(Failure::new(format!("writing output: {error}"))),
        }
    }
    Ok(())
}
