//! Lines on their way to a log service (journald, a syslog server), which may be slow, away, or dead.
//!
//! Blocking, the container waits for the service as for a slow disk; but when it has taken nothing for [`PATIENCE`],
//! the container goes on, lines that find no room are dropped and counted, and both the service and the file kept here are told how many.
//! Non-blocking, that holds from the first line on.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with, sockopt,
};

use super::Stream;
use super::journal::Journal;
use super::lines::Line;
use super::queue::Queue;
use super::syslog;
use super::tls::{Session, Terms};
use crate::clock::Moment;
use crate::poller::{Poller, Token, Watch};
use crate::protocol::{Endpoint, Form, RemotePlan, SyslogForm};

/// What may wait before the container does.
const FULL: usize = 64 << 10;
/// What may wait at most once the container waits no more.
const MOST: usize = 1 << 20;
/// What may wait at most before: what was in the container's pipe when it was stopped for us, or when it ended, finds
/// room, though every short line gets a long head.
const PIPEFUL: usize = 16 << 20;
/// How long the container waits for a service that takes nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a service that is away is looked for.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Message {
    Journal(Journal),
    Syslog(SyslogForm),
}

#[derive(Debug)]
struct Link {
    socket: OwnedFd,
    /// A message is a datagram; otherwise they follow each other.
    datagrams: bool,
    connected: bool,
    tls: Option<Session>,
    watch: Watch,
}

/// The last word to a server that listens, which need not hear it.
impl Drop for Link {
    fn drop(&mut self) {
        if let Some(session) = self.tls.as_mut().filter(|_| self.connected) {
            session.end(&self.socket);
        }
    }
}

#[derive(Debug)]
pub(super) struct Remote {
    to: Vec<Endpoint>,
    /// What a connection is under.
    tls: Option<Terms>,
    message: Message,
    link: Option<Link>,
    queue: Queue,
    /// `mode=non-blocking`: how much may wait. `None`: the container does.
    buffer: Option<usize>,
    /// When it last took something, or had nothing to take.
    progress: Instant,
    next_try: Instant,
    gave_up: bool,
    /// Not told yet.
    dropped: u64,
    dropped_before: u64,
    sentences: Vec<String>,
}

impl Remote {
    pub(super) fn new(plan: &RemotePlan) -> Self {
        let now = Instant::now();
        let mut remote = Self {
            to: plan.to.clone(),
            tls: None,
            message: match &plan.form {
                Form::Journal { fields } => Message::Journal(Journal::new(fields)),
                Form::Syslog(form) => Message::Syslog(form.clone()),
            },
            link: None,
            queue: Queue::default(),
            buffer: plan.buffer.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            progress: now,
            next_try: now,
            gave_up: false,
            dropped: 0,
            dropped_before: 0,
            sentences: Vec::new(),
        };
        match plan.tls.as_ref().map(Terms::read).transpose() {
            Ok(terms) => remote.tls = terms,
            // Nothing goes there in the clear.
            Err(why) => {
                remote.to.clear();
                remote.sentences.push(format!("berth: no line reaches the log service: {why}"));
            }
        }
        remote.look(now);
        remote
    }

    /// Queues a line, or drops it where there is no room.
    pub(super) fn offer(&mut self, stream: Stream, line: Line<'_>, now: Moment) {
        let room = self.buffer.unwrap_or(if self.gave_up { MOST } else { PIPEFUL });
        if self.queue.size() >= room {
            self.dropped += 1;
            return;
        }
        if self.queue.is_empty() {
            self.progress = Instant::now();
        }
        let message = &mut self.message;
        self.queue.push(|out| match message {
            Message::Journal(journal) => journal.encode(out, stream, line),
            Message::Syslog(form) => syslog::encode(out, form, stream, line, now),
        });
    }

    /// Sends what the service takes.
    pub(super) fn flush(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.connected) else { return };
        let before = self.queue.count();
        let lost = match &mut link.tls {
            Some(session) => session.turn(&link.socket, &mut self.queue),
            None if link.datagrams => {
                send_datagrams(&link.socket, &mut self.queue, &mut self.dropped).map_err(Into::into)
            }
            None => send_stream(&link.socket, &mut self.queue).map_err(Into::into),
        };
        if self.queue.count() < before || self.queue.is_empty() {
            self.progress = Instant::now();
            self.moves_again();
        }
        if lost.is_err() {
            self.lose();
        }
    }

    /// It takes lines (again): tells of those that it did not get.
    fn moves_again(&mut self) {
        self.gave_up = false;
        if self.dropped == 0 || !self.queue.is_empty() {
            return;
        }
        let dropped = std::mem::take(&mut self.dropped);
        self.dropped_before += dropped;
        let text = format!("berth: {dropped} log lines did not reach the log service");
        let line = Line { text: text.as_bytes(), complete: true, at: None };
        self.offer(Stream::Stderr, line, Moment::now());
        self.sentences.push(text);
    }

    fn lose(&mut self) {
        self.link = None;
        // Another of its addresses may do better.
        let following = self.to.len().min(1);
        self.to.rotate_left(following);
        self.queue.rewind();
        self.next_try = Instant::now() + RETRY;
    }

    /// Connects to the first that answers.
    fn look(&mut self, now: Instant) {
        self.link = self.to.iter().find_map(|endpoint| reach(endpoint, self.tls.as_ref()));
        self.next_try = now + RETRY;
    }

    /// Something happened to the socket.
    pub(super) fn ready(&mut self, flags: EventFlags) {
        let Some(link) = &mut self.link else { return };
        let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if !link.connected || broken {
            match sockopt::socket_error(&link.socket) {
                Ok(Ok(())) if !broken => link.connected = true,
                // A port that nobody listens on is told late, and of a datagram that is gone already.
                Ok(_) if link.datagrams => {}
                _ => return self.lose(),
            }
        }
        self.flush();
    }

    /// The container is to say no more for now.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.is_none() && !self.gave_up && self.queue.size() >= FULL
    }

    /// When to look again though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = self.is_full().then(|| self.progress + PATIENCE);
        let retry = (self.link.is_none() && !self.queue.is_empty()).then_some(self.next_try);
        [patience, retry].into_iter().flatten().min()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        if self.link.is_none() && !self.queue.is_empty() && self.next_try <= now {
            self.look(now);
            self.flush();
        }
        if self.is_full() && self.progress + PATIENCE <= now {
            self.gave_up = true;
            let seconds = PATIENCE.as_secs();
            self.sentences.push(format!(
                "berth: the log service has taken nothing for {seconds} seconds: until it does, it gets no lines"
            ));
        }
    }

    pub(super) fn watch(&mut self, poller: &Poller, token: Token) {
        let Some(Link { socket, connected, tls, watch, .. }) = &mut self.link else { return };
        let (waits, hears) = match tls {
            Some(session) => (session.has_to_send(&self.queue), EventFlags::IN),
            None => (!self.queue.is_empty(), EventFlags::empty()),
        };
        let flags = if waits || !*connected { hears | EventFlags::OUT } else { hears };
        watch.set(poller, socket.as_fd(), token, Some(flags));
    }

    /// Nothing waits, or nobody is there to wait for.
    pub(super) fn is_done(&self) -> bool {
        let Some(link) = &self.link else { return true };
        self.queue.is_empty() && link.tls.as_ref().is_none_or(Session::is_through)
    }

    /// What the file kept here is to say of the service.
    pub(super) fn sentences(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sentences)
    }

    /// Lines the service did not get.
    pub(super) fn dropped_in_all(&self) -> u64 {
        self.dropped_before + self.dropped
    }

    pub(super) fn release(&mut self) {
        self.queue.release();
    }
}

fn reach(endpoint: &Endpoint, tls: Option<&Terms>) -> Option<Link> {
    let tls = tls.map(Session::new).transpose().ok()?;
    let (socket, datagrams, connected) = connecting(endpoint).ok()?;
    Some(Link { socket, datagrams, connected, tls, watch: Watch::default() })
}

/// The socket, whether a message is a datagram to it, and whether it is connected yet.
fn connecting(endpoint: &Endpoint) -> Result<(OwnedFd, bool, bool), Errno> {
    let open = |family, kind| socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None);
    let family = |address: &std::net::SocketAddr| match address.is_ipv4() {
        true => AddressFamily::INET,
        false => AddressFamily::INET6,
    };
    let (socket, result, datagrams) = match endpoint {
        Endpoint::Datagram(path) | Endpoint::Stream(path) => {
            let datagrams = matches!(endpoint, Endpoint::Datagram(_));
            let kind = if datagrams { SocketType::DGRAM } else { SocketType::STREAM };
            let socket = open(AddressFamily::UNIX, kind)?;
            let result = connect(&socket, &SocketAddrUnix::new(path)?);
            (socket, result, datagrams)
        }
        Endpoint::Udp(address) => {
            let socket = open(family(address), SocketType::DGRAM)?;
            let result = connect(&socket, address);
            (socket, result, true)
        }
        Endpoint::Tcp(address) => {
            let socket = open(family(address), SocketType::STREAM)?;
            let result = connect(&socket, address);
            (socket, result, false)
        }
    };
    match result {
        Ok(()) => Ok((socket, datagrams, true)),
        Err(Errno::INPROGRESS) => Ok((socket, datagrams, false)),
        Err(errno) => Err(errno),
    }
}

pub(super) const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

fn send_datagrams(socket: &OwnedFd, queue: &mut Queue, dropped: &mut u64) -> Result<(), Errno> {
    let mut refused = false;
    while let Some(message) = queue.first() {
        match send(socket, message, FLAGS) {
            Ok(_) => queue.pop(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(()),
            Err(Errno::MSGSIZE) => {
                *dropped += 1;
                queue.pop();
            }
            // What UDP tells here is the fate of an earlier message.
            Err(Errno::CONNREFUSED) if !refused => refused = true,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn send_stream(socket: &OwnedFd, queue: &mut Queue) -> Result<(), Errno> {
    while !queue.is_empty() {
        match send(socket, queue.rest(), FLAGS) {
            Ok(count) => queue.take(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
