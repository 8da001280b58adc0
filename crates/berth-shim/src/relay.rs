//! The streams of one process: what it says goes to the log and to every attached client, what clients write goes to
//! its stdin.
//!
//! Output is read only when everybody can take it. With one client the process simply waits for that client, as in a
//! shell's pipe. With several, each has [`client::BACKLOG`] bytes of slack; one that stays full for
//! [`client::PATIENCE`] without taking a byte is let go, so that it cannot hold up the others. The same holds for a
//! lone client that attached later (an onlooker); one given at launch is the process's stdio and is waited for without
//! limit. Clients that vanish are let go at once.
//!
//! Knows nothing of processes: it works on any pipes or pty.

mod client;
mod input;
#[cfg(test)]
mod tests;

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use crate::log::{Log, Stream};
use crate::poller::{Part, Poller, Token, Watch};
use crate::protocol::Streams;
use client::Client;
use input::Input;

/// How much is read at once; a pipe holds no more unless told to.
const READ: usize = 64 << 10;
/// What a pipe is made to hold once its process fills it: fewer turns between the two.
const LOUD_PIPE: usize = 256 << 10;
/// Reads in a turn, lest one loud stream starve the others.
const READS_A_TURN: usize = 4;
/// What is still read after the process has ended, should somebody else go on writing.
const LAST_WORDS: usize = 16 << 20;

/// Our ends of a process's stdio.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Written to; non-blocking.
    pub(crate) stdin: Option<OwnedFd>,
    /// Read from; non-blocking.
    pub(crate) stdout: Option<OwnedFd>,
    /// Read from; non-blocking.
    pub(crate) stderr: Option<OwnedFd>,
    /// They are one pty: output is raw, and its stdin does not close.
    pub(crate) terminal: bool,
}

#[derive(Debug)]
struct Output {
    fd: OwnedFd,
    stream: Stream,
    loud: bool,
    watch: Watch,
}

impl Output {
    fn filled_a_read(&mut self) {
        if !self.loud {
            self.loud = true;
            // A pty stays as it is, and so does a pipe beyond the host's limits.
            let _ = rustix::pipe::fcntl_setpipe_size(&self.fd, LOUD_PIPE);
        }
    }
}

/// The loop's scratch memory: one for all, given back while nothing happens.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    fn get(&mut self) -> &mut [u8] {
        self.0.resize(READ, 0);
        &mut self.0
    }

    pub(crate) fn is_held(&self) -> bool {
        self.0.capacity() > 0
    }

    pub(crate) fn release(&mut self) {
        self.0 = Vec::new();
    }
}

/// One process's streams.
#[derive(Debug)]
pub(crate) struct Relay {
    session: u32,
    terminal: bool,
    outputs: [Option<Output>; 2],
    input: Input,
    clients: Vec<Option<Client>>,
    log: Option<Log>,
}

impl Relay {
    pub(crate) fn new(session: u32, ends: Ends, stdin_once: bool) -> Self {
        let output =
            |fd: Option<OwnedFd>, stream| fd.map(|fd| Output { fd, stream, loud: false, watch: Watch::default() });
        Self {
            session,
            terminal: ends.terminal,
            outputs: [output(ends.stdout, Stream::Stdout), output(ends.stderr, Stream::Stderr)],
            input: Input::new(ends.stdin, stdin_once && !ends.terminal),
            clients: Vec::new(),
            log: None,
        }
    }

    /// Sets what keeps the output. Before the first event.
    pub(crate) fn keep_in(&mut self, log: Option<Log>) {
        self.log = log;
    }

    /// Adds a client.
    pub(crate) fn attach(&mut self, stream: OwnedFd, streams: Streams, from_birth: bool, poller: &Poller) {
        let client = Client::new(stream, streams, from_birth, Instant::now());
        match self.clients.iter().position(Option::is_none) {
            Some(free) => self.clients[free] = Some(client),
            None => self.clients.push(Some(client)),
        }
        self.watch(poller);
    }

    /// Starts to wait for output.
    pub(crate) fn begin(&mut self, poller: &Poller) {
        self.watch(poller);
    }

    /// Something of ours is ready.
    pub(crate) fn ready(&mut self, part: Part, flags: EventFlags, scratch: &mut Scratch, poller: &Poller) {
        match part {
            Part::Output(index) => self.pump(index as usize, scratch),
            Part::Input => self.input.flush(),
            Part::Client(index) => self.serve(index as usize, flags, scratch),
            Part::Log => self.log.iter_mut().for_each(|log| log.ready(flags)),
        }
        self.take_input_of_the_gone(scratch);
        self.watch(poller);
    }

    /// Reads output and passes it on.
    fn pump(&mut self, index: usize, scratch: &mut Scratch) {
        for _ in 0..READS_A_TURN {
            if self.is_held_up() {
                return;
            }
            match self.pass_on(index, scratch) {
                None => return,
                // It has emptied the pipe: whatever comes next, the poller tells. A pty gives a page at a time.
                Some(length) if length < READ && !self.terminal => return,
                Some(_) => {}
            }
        }
    }

    /// Reads once: the log has it before any client. `None`: there is nothing more for now.
    fn pass_on(&mut self, index: usize, scratch: &mut Scratch) -> Option<usize> {
        let output = self.outputs.get_mut(index)?.as_mut()?;
        let (buffer, stream) = (scratch.get(), output.stream);
        match rustix::io::read(&output.fd, &mut *buffer) {
            Ok(0) => {
                self.close_output(index);
                None
            }
            Ok(length) => {
                if length == READ {
                    output.filled_a_read();
                }
                let said = &buffer[..length];
                if let Some(log) = &mut self.log {
                    log.append(stream, said);
                }
                self.deliver(stream, said);
                Some(length)
            }
            Err(Errno::AGAIN) => None,
            Err(Errno::INTR) => Some(0),
            // EIO is how a pty says that its last holder is gone.
            Err(_) => {
                self.close_output(index);
                None
            }
        }
    }

    fn deliver(&mut self, stream: Stream, said: &[u8]) {
        let now = Instant::now();
        for slot in &mut self.clients {
            if let Some(client) = slot
                && client.send(stream, said, !self.terminal, now).is_err()
            {
                client.vanish();
            }
        }
        self.forget_the_done();
    }

    fn close_output(&mut self, index: usize) {
        if let Some(output) = self.outputs[index].take()
            && let Some(log) = &mut self.log
        {
            log.end(output.stream);
        }
    }

    fn serve(&mut self, index: usize, flags: EventFlags, scratch: &mut Scratch) {
        let Some(client) = self.clients.get_mut(index).and_then(Option::as_mut) else { return };
        if flags.contains(EventFlags::OUT) && client.flush(Instant::now()).is_err() {
            client.vanish();
        }
        if flags.contains(EventFlags::IN) && client.gives_input() {
            self.input.take_from(client, scratch.get());
        }
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            client.vanish();
        }
        self.forget_the_done();
    }

    /// What a client wrote before it went still counts, as fast as the process takes it.
    fn take_input_of_the_gone(&mut self, scratch: &mut Scratch) {
        for client in self.clients.iter_mut().flatten() {
            while client.is_gone() && client.gives_input() && self.input.accepts() {
                self.input.take_from(client, scratch.get());
            }
            if !self.input.is_open() {
                client.end_input();
            }
        }
        self.forget_the_done();
    }

    fn forget_the_done(&mut self) {
        for slot in &mut self.clients {
            if slot.as_ref().is_some_and(Client::is_done) {
                *slot = None;
            }
        }
    }

    /// Whether some client or the log's service must take what it has before more is read.
    fn is_held_up(&self) -> bool {
        let alone = self.clients.iter().flatten().count() == 1;
        let log = self.log.as_ref().is_some_and(Log::is_full);
        log || self.clients.iter().flatten().any(|client| client.is_full(alone))
    }

    /// Tells the poller what is waited for.
    fn watch(&mut self, poller: &Poller) {
        let session = self.session;
        let listening = (!self.is_held_up()).then_some(EventFlags::IN);
        for (index, output) in self.outputs.iter_mut().enumerate() {
            if let Some(Output { fd, watch, .. }) = output {
                watch.set(poller, fd, Token::Stream(session, Part::Output(index as u32)), listening);
            }
        }
        if let Some(log) = &mut self.log {
            log.watch(poller, Token::Stream(session, Part::Log));
        }
        self.input.watch(poller, Token::Stream(session, Part::Input));
        let accepts = self.input.accepts();
        for (index, client) in self.clients.iter_mut().enumerate() {
            if let Some(client) = client {
                client.watch(poller, Token::Stream(session, Part::Client(index as u32)), accepts);
            }
        }
    }

    /// The process is gone: takes what is left in its pipes, and closes them.
    pub(crate) fn drain(&mut self, scratch: &mut Scratch, poller: &Poller) {
        for index in 0..self.outputs.len() {
            let mut total = 0;
            while total < LAST_WORDS
                && let Some(length) = self.pass_on(index, scratch)
            {
                total += length;
            }
            self.close_output(index);
        }
        self.input.close();
        self.take_input_of_the_gone(scratch);
        self.watch(poller);
    }

    /// After [`Relay::drain`]: clients get what waits for them, then the end.
    pub(crate) fn finish(&mut self, poller: &Poller) {
        self.clients.iter_mut().flatten().for_each(Client::finish);
        self.forget_the_done();
        self.watch(poller);
    }

    /// No client is left, and the log is complete.
    pub(crate) fn is_finished(&self) -> bool {
        self.clients.iter().all(Option::is_none) && self.log.as_ref().is_none_or(Log::is_done)
    }

    /// When a client that takes nothing is to be let go, or the log wants a turn.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let alone = self.clients.iter().flatten().count() == 1;
        let clients = self.clients.iter().flatten().filter_map(|client| client.deadline(alone));
        clients.chain(self.log.as_ref().and_then(Log::deadline)).min()
    }

    /// Lets those go whose deadline is over.
    pub(crate) fn expire(&mut self, now: Instant, poller: &Poller) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        if let Some(log) = &mut self.log {
            log.expire(now);
        }
        let alone = self.clients.iter().flatten().count() == 1;
        for client in self.clients.iter_mut().flatten() {
            if client.deadline(alone).is_some_and(|deadline| deadline <= now) {
                client.vanish();
                client.end_input();
            }
        }
        self.forget_the_done();
        self.watch(poller);
    }

    /// Log lines that could not be written.
    pub(crate) fn dropped_log_lines(&self) -> u64 {
        self.log.as_ref().map_or(0, Log::dropped)
    }

    /// Gives buffers back while nothing happens.
    pub(crate) fn release(&mut self) {
        if let Some(log) = &mut self.log {
            log.release();
        }
    }
}
