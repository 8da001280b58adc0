//! A socket that carries frames and descriptors, for either side; never blocks unless asked to.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::frame::{Decoder, FrameError};

/// The most descriptors a frame may carry; the kernel takes 253.
pub(crate) const MAX_DESCRIPTORS: usize = 240;
const READ: usize = 64 << 10;

/// Why a channel is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// What arrived is no frame.
    #[error("the peer sent what is no message")]
    Frame(#[from] FrameError),
    /// A frame announces more descriptors than came with it, or they did not fit.
    #[error("descriptors are missing from a message")]
    Descriptors,
    /// The socket failed.
    #[error("cannot read from the peer")]
    Receive(#[source] io::Error),
    /// The socket failed.
    #[error("cannot write to the peer")]
    Send(#[source] io::Error),
    /// The peer closed its end.
    #[error("the peer closed the connection")]
    Closed,
}

/// What one read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Bytes, now in the decoder.
    Data,
    /// Nothing is there yet.
    WouldBlock,
    /// Nothing will come any more.
    End,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    written: usize,
    descriptors: Vec<OwnedFd>,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    decoder: Decoder,
    descriptors: VecDeque<OwnedFd>,
    outgoing: VecDeque<Outgoing>,
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Channel {
    /// Takes a connected unix stream socket; whether it is in non-blocking mode does not matter.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, decoder: Decoder::new(), descriptors: VecDeque::new(), outgoing: VecDeque::new() }
    }

    /// Queues a frame (see [`super::encode`]) and the descriptors that ride with it; [`Channel::flush`] sends.
    pub fn queue(&mut self, frame: Vec<u8>, descriptors: Vec<OwnedFd>) {
        self.outgoing.push_back(Outgoing { bytes: frame, written: 0, descriptors });
    }

    /// Whether something waits to be sent.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Sends as much as the socket takes; true: everything.
    pub fn flush(&mut self) -> Result<bool, ChannelError> {
        while let Some(next) = self.outgoing.front_mut() {
            match send_some(self.socket.as_fd(), next) {
                Ok(()) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(false),
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(ChannelError::Send(errno.into())),
            }
            if next.written == next.bytes.len() {
                self.outgoing.pop_front();
            }
        }
        Ok(true)
    }

    /// Reads once into the decoder.
    pub fn receive(&mut self) -> Result<Received, ChannelError> {
        let mut buffer = vec![0; READ];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(&self.socket, &mut [IoSliceMut::new(&mut buffer)], &mut ancillary, flags) {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(Received::WouldBlock),
            Err(rustix::io::Errno::CONNRESET) => return Ok(Received::End),
            Err(errno) => return Err(ChannelError::Receive(errno.into())),
        };
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(ChannelError::Descriptors);
        }
        if received.bytes == 0 {
            return Ok(Received::End);
        }
        self.decoder.push(&buffer[..received.bytes]);
        Ok(Received::Data)
    }

    /// The next whole frame, parsed; `None`: receive more first.
    pub fn next<T>(&mut self, parse: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, ChannelError> {
        Ok(self.decoder.next_frame()?.map(parse))
    }

    /// The `count` descriptors that belong to the frame just parsed.
    pub fn take_descriptors(&mut self, count: usize) -> Result<Vec<OwnedFd>, ChannelError> {
        if count > self.descriptors.len() {
            return Err(ChannelError::Descriptors);
        }
        Ok(self.descriptors.drain(..count).collect())
    }

    /// Gives back the memory that large frames took.
    pub fn release(&mut self) {
        self.decoder.release();
    }

    /// Waits until the socket can be read, or, while something is queued, written.
    pub fn wait(&self) -> Result<(), ChannelError> {
        let mut flags = PollFlags::IN;
        if self.has_outgoing() {
            flags |= PollFlags::OUT;
        }
        loop {
            match poll(&mut [PollFd::new(&self.socket, flags)], None) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(ChannelError::Receive(errno.into())),
            }
        }
    }
}

fn send_some(socket: BorrowedFd<'_>, next: &mut Outgoing) -> rustix::io::Result<()> {
    let borrowed: Vec<BorrowedFd<'_>> = next.descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(rustix::io::Errno::TOOBIG);
    }
    let bytes = [IoSlice::new(&next.bytes[next.written..])];
    next.written += sendmsg(socket, &bytes, &mut ancillary, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
    next.descriptors.clear();
    Ok(())
}
