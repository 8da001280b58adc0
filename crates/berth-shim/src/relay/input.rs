//! A process's stdin: fed by clients, as fast as the process reads.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use super::client::Client;
use crate::poller::{Poller, Token, Watch};

/// The writing end, and what it could not take yet.
#[derive(Debug)]
pub(super) struct Input {
    fd: Option<OwnedFd>,
    waiting: Vec<u8>,
    /// Closes when the first client is done.
    once: bool,
    closing: bool,
    loud: bool,
    watch: Watch,
}

impl Input {
    pub(super) fn new(fd: Option<OwnedFd>, once: bool) -> Self {
        Self { fd, waiting: Vec::new(), once, closing: false, loud: false, watch: Watch::default() }
    }

    /// The process may still be written to.
    pub(super) fn is_open(&self) -> bool {
        self.fd.is_some() && !self.closing
    }

    /// More may be taken from clients now.
    pub(super) fn accepts(&self) -> bool {
        self.is_open() && self.waiting.is_empty()
    }

    /// Reads once from a client and passes it on.
    pub(super) fn take_from(&mut self, client: &mut Client, buffer: &mut [u8]) {
        match client.read(buffer) {
            Ok(0) => {
                client.end_input();
                self.client_is_done();
            }
            Ok(length) => self.write(&buffer[..length]),
            Err(Errno::AGAIN | Errno::INTR) if !client.is_gone() => {}
            Err(_) => {
                client.end_input();
                self.client_is_done();
            }
        }
    }

    fn client_is_done(&mut self) {
        if self.once {
            self.closing = true;
            self.flush();
        }
    }

    /// Writes at once what the process takes, and keeps the rest. Nothing waits when this is called.
    fn write(&mut self, bytes: &[u8]) {
        let written = self.pass(bytes);
        if written < bytes.len() && self.fd.is_some() {
            self.waiting.extend_from_slice(&bytes[written..]);
            self.filled();
        }
        self.flush();
    }

    /// A process that reads more slowly than it is written to is given a larger pipe: fewer turns between the two.
    fn filled(&mut self) {
        if let Some(fd) = self.fd.as_ref().filter(|_| !self.loud) {
            self.loud = true;
            // A pty stays as it is, and so does a pipe beyond the host's limits.
            let _ = rustix::pipe::fcntl_setpipe_size(fd, super::LOUD_PIPE);
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while let Some(fd) = self.fd.as_ref().filter(|_| written < bytes.len()) {
            match rustix::io::write(fd, &bytes[written..]) {
                Ok(length) => written += length,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                // Nobody reads it any more.
                Err(_) => self.close(),
            }
        }
        written
    }

    /// Writes of what waits; closes when that was the last.
    pub(super) fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.pass(&waiting);
        if self.fd.is_some() {
            self.waiting = waiting;
            self.waiting.drain(..written);
        }
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
            if self.closing {
                self.close();
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.fd = None;
        self.waiting = Vec::new();
        self.watch = Watch::default();
    }

    pub(super) fn watch(&mut self, poller: &Poller, token: Token) {
        if let Some(fd) = &self.fd {
            let wanted = (!self.waiting.is_empty()).then_some(EventFlags::OUT);
            self.watch.set(poller, fd, token, wanted);
        }
    }
}
