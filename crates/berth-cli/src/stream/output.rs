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
}

impl Sink {
    /// `raw`: the bytes are not framed.
    pub(crate) fn new(raw: bool, stdout: bool, stderr: bool) -> Self {
        Self { demux: (!raw).then(Demux::default), stdout, stderr }
    }

    /// Writes bytes as they came. A reader of ours that has gone away is not told apart from one that reads.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let Some(demux) = &mut self.demux else {
            return write_all(rustix::stdio::stdout(), bytes);
        };
        demux.push(bytes);
        while let Some((output, piece)) = demux.next_piece().map_err(|e| Failure::new(e.to_string()))? {
            match output {
                Output::Stdout if self.stdout => write_all(rustix::stdio::stdout(), &piece)?,
                Output::Stderr if self.stderr => write_all(rustix::stdio::stderr(), &piece)?,
                Output::System => {
                    let text = String::from_utf8_lossy(&piece).into_owned();
                    return Err(Failure::new(format!("error from daemon in stream: {text}")));
                }
                _ => {}
            }
        }
        Ok(())
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
