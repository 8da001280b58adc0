//! An attached client: a unix stream that gets Docker's multiplexed frames (or a pty's raw bytes) and gives stdin.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, sendmsg, shutdown};

use crate::log::Stream;
use crate::poller::{Poller, Token, Watch};
use crate::protocol::Streams;

/// What waits for a client, at most, while there are others: Docker's figure.
pub(super) const BACKLOG: usize = 1 << 20;
/// How long a full client may take nothing before it is let go, where others wait for it or it only looks on.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Client {
    stream: OwnedFd,
    streams: Streams,
    from_birth: bool,
    waiting: VecDeque<u8>,
    /// When it last took something, or first had to wait.
    progress: Instant,
    input_ended: bool,
    gone: bool,
    finishing: bool,
    watch: Watch,
}

/// Docker's frame header: the stream, three zeros, the payload's length in big-endian order.
fn header(stream: Stream, length: usize) -> [u8; 8] {
    let [a, b, c, d] = (length as u32).to_be_bytes();
    [stream as u8, 0, 0, 0, a, b, c, d]
}

impl Client {
    pub(super) fn new(stream: OwnedFd, streams: Streams, from_birth: bool, now: Instant) -> Self {
        Self {
            stream,
            streams,
            from_birth,
            waiting: VecDeque::new(),
            progress: now,
            input_ended: !streams.stdin,
            gone: false,
            finishing: false,
            watch: Watch::default(),
        }
    }

    /// Sends at once what the socket takes, keeps the rest. An error: nobody is there any more.
    pub(super) fn send(&mut self, stream: Stream, said: &[u8], framed: bool, now: Instant) -> Result<(), Errno> {
        let wanted = match stream {
            Stream::Stdout => self.streams.stdout,
            Stream::Stderr => self.streams.stderr,
        };
        if !wanted || self.gone {
            return Ok(());
        }
        let header = header(stream, said.len());
        let header = if framed { &header[..] } else { &[] };
        let mut sent = 0;
        if self.waiting.is_empty() {
            sent = self.transmit(&[IoSlice::new(header), IoSlice::new(said)])?;
            self.progress = now;
        }
        self.waiting.extend(&header[sent.min(header.len())..]);
        self.waiting.extend(&said[sent.saturating_sub(header.len())..]);
        Ok(())
    }

    /// Sends of what waits.
    pub(super) fn flush(&mut self, now: Instant) -> Result<(), Errno> {
        while !self.waiting.is_empty() {
            let (front, back) = self.waiting.as_slices();
            let sent = self.transmit(&[IoSlice::new(front), IoSlice::new(back)])?;
            if sent == 0 {
                return Ok(());
            }
            self.progress = now;
            self.waiting.drain(..sent);
        }
        self.waiting = VecDeque::new();
        Ok(())
    }

    fn transmit(&self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        loop {
            match sendmsg(&self.stream, slices, &mut SendAncillaryBuffer::default(), flags) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                result => return result,
            }
        }
    }

    /// Reads of what the client wrote; 0: it will write no more. `EAGAIN`: not now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        match recv(&self.stream, buffer, RecvFlags::DONTWAIT) {
            Ok((_, length)) => Ok(length),
            Err(Errno::CONNRESET) => Ok(0),
            Err(errno) => Err(errno),
        }
    }

    /// A unix socket closed with input unread tells its peer of a reset rather than of the end.
    fn discard_input(&self) {
        let mut buffer = [0; 4096];
        while recv(&self.stream, &mut buffer, RecvFlags::DONTWAIT).is_ok_and(|(_, length)| length > 0) {}
    }

    /// Nobody reads there any more. What it wrote may still be unread.
    pub(super) fn vanish(&mut self) {
        self.gone = true;
        self.waiting = VecDeque::new();
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn gives_input(&self) -> bool {
        !self.input_ended
    }

    pub(super) fn end_input(&mut self) {
        self.input_ended = true;
    }

    /// No output will come any more: what waits is sent, then the stream closes.
    pub(super) fn finish(&mut self) {
        self.finishing = true;
        self.input_ended = true;
        // Nothing more is taken; what a writer sends from now on fails.
        let _ = shutdown(&self.stream, Shutdown::Read);
        self.discard_input();
    }

    pub(super) fn is_done(&self) -> bool {
        self.input_ended && (self.gone || self.finishing && self.waiting.is_empty())
    }

    /// A lone client has no slack: the process waits in its pipe rather than we copy.
    pub(super) fn is_full(&self, alone: bool) -> bool {
        self.waiting.len() >= if alone { 1 } else { BACKLOG }
    }

    /// When its patience is over; `None` while it may go on as it does.
    pub(super) fn deadline(&self, alone: bool) -> Option<Instant> {
        let waited_for = alone && self.from_birth;
        (self.is_full(alone) && !waited_for).then(|| self.progress + PATIENCE)
    }

    pub(super) fn watch(&mut self, poller: &Poller, token: Token, input_accepted: bool) {
        let mut flags = EventFlags::empty();
        if input_accepted && !self.input_ended {
            flags |= EventFlags::IN;
        }
        if !self.waiting.is_empty() {
            flags |= EventFlags::OUT;
        }
        let wanted = (!self.gone).then_some(flags);
        self.watch.set(poller, self.stream.as_fd(), token, wanted);
    }
}
