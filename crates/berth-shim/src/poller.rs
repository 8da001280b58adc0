//! The event loop's epoll: who waits for what, under which name.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// The listening socket.
    Listener,
    /// The signal descriptor.
    Signals,
    /// A connection of the protocol.
    Connection(u32),
    /// The container's memory.
    Memory,
    /// A stream of a session.
    Stream(u32, Part),
}

/// A stream of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The process's output: 0 stdout, 1 stderr.
    Output(u32),
    /// The process's stdin.
    Input,
    /// An attached client.
    Client(u32),
    /// The service that gets the log.
    Log,
}

impl Token {
    fn encode(self) -> u64 {
        let (kind, session, index) = match self {
            Self::Listener => (0, 0, 0),
            Self::Signals => (1, 0, 0),
            Self::Connection(index) => (2, 0, index),
            Self::Memory => (3, 0, 0),
            Self::Stream(session, Part::Output(index)) => (4, session, index),
            Self::Stream(session, Part::Input) => (5, session, 0),
            Self::Stream(session, Part::Client(index)) => (6, session, index),
            Self::Stream(session, Part::Log) => (7, session, 0),
        };
        kind << 56 | u64::from(session & 0xff_ffff) << 32 | u64::from(index)
    }

    fn decode(data: u64) -> Option<Self> {
        let (kind, session, index) = (data >> 56, (data >> 32 & 0xff_ffff) as u32, data as u32);
        Some(match kind {
            0 => Self::Listener,
            1 => Self::Signals,
            2 => Self::Connection(index),
            3 => Self::Memory,
            4 => Self::Stream(session, Part::Output(index)),
            5 => Self::Stream(session, Part::Input),
            6 => Self::Stream(session, Part::Client(index)),
            7 => Self::Stream(session, Part::Log),
            _ => return None,
        })
    }
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) token: Token,
    pub(crate) flags: EventFlags,
}

/// The epoll instance. It holds no descriptors of those it watches.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    pub(crate) fn add(&self, fd: impl AsFd, token: Token, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, fd, EventData::new_u64(token.encode()), flags)
    }

    /// Waits; `None` as the timeout waits for ever. A few events at once are plenty: the rest comes next turn.
    pub(crate) fn wait(&self, timeout: Option<Timespec>) -> Result<Vec<Ready>, Errno> {
        let mut events = Vec::with_capacity(16);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let ready = |event: epoll::Event| Some(Ready { token: Token::decode(event.data.u64())?, flags: event.flags });
        Ok(events.into_iter().filter_map(ready).collect())
    }
}

/// One descriptor's standing with the poller, so that the kernel is told only what changes.
///
/// Hang-ups cannot be masked: what is not wanted at all is taken out, or a level-triggered epoll would spin on it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    flags: Option<EventFlags>,
}

impl Watch {
    /// Sets what is waited for; `None`: nothing.
    pub(crate) fn set(&mut self, poller: &Poller, fd: impl AsFd, token: Token, wanted: Option<EventFlags>) {
        if self.flags == wanted {
            return;
        }
        let data = EventData::new_u64(token.encode());
        let result = match (self.flags, wanted) {
            (None, Some(flags)) => epoll::add(&poller.epoll, fd, data, flags),
            (Some(_), Some(flags)) => epoll::modify(&poller.epoll, fd, data, flags),
            (_, None) => epoll::delete(&poller.epoll, fd),
        };
        // Only a lack of memory can make it fail; the next change tries again.
        if result.is_ok() {
            self.flags = wanted;
        }
    }
}
