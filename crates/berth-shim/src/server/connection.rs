//! One connection of the protocol, on the shim's side. A broken one is only marked; the loop lets it go.

use crate::poller::{Poller, Token, Watch};
use crate::protocol::{Channel, ChannelError, Event, FromShim, Received, Response, encode};
use rustix::event::epoll::EventFlags;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) channel: Channel,
    watch: Watch,
    broken: bool,
}

impl Connection {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, watch: Watch::default(), broken: false }
    }

    /// Queues an event.
    pub(super) fn tell(&mut self, event: Event) {
        self.queue(&FromShim { event: Some(event), ..FromShim::default() });
    }

    /// Queues an answer.
    pub(super) fn respond(&mut self, seq: u64, response: Response) {
        self.queue(&FromShim { seq: Some(seq), response: Some(response), event: None });
    }

    fn queue(&mut self, message: &FromShim) {
        match encode(message) {
            Ok(frame) => self.channel.queue(frame, Vec::new()),
            Err(_) => self.broken = true,
        }
    }

    /// Sends what the socket takes.
    pub(super) fn flush(&mut self) {
        if self.channel.has_outgoing() && self.channel.flush().is_err() {
            self.broken = true;
        }
    }

    /// Sends everything; for the last word of a failed launch.
    pub(super) fn flush_blocking(&mut self) -> Result<(), ChannelError> {
        while !self.channel.flush()? {
            self.channel.wait()?;
        }
        Ok(())
    }

    /// Reads once; the end of the peer breaks the connection.
    pub(super) fn receive(&mut self) {
        if !matches!(self.channel.receive(), Ok(Received::Data | Received::WouldBlock)) {
            self.broken = true;
        }
    }

    pub(super) fn break_off(&mut self) {
        self.broken = true;
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.broken || !self.channel.has_outgoing()
    }

    /// Gives back the memory of large requests.
    pub(super) fn release(&mut self) {
        self.channel.release();
    }

    pub(super) fn watch(&mut self, poller: &Poller, number: u32) {
        let mut flags = EventFlags::IN;
        if self.channel.has_outgoing() {
            flags |= EventFlags::OUT;
        }
        self.watch.set(poller, &self.channel, Token::Connection(number), Some(flags));
    }
}
