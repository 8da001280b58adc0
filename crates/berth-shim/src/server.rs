//! The event loop: the launch, then requests, output, deaths, until the container is over and everybody knows.

mod connection;
mod memory;
mod requests;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use berth_cgroup::Cgroup;
use berth_sys::signal;
use rustix::event::Timespec;
use rustix::event::epoll::EventFlags;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{WaitOptions, WaitStatus};

use crate::container::{Container, Newborn, launch};
use crate::log::Log;
use crate::poller::{Poller, Ready, Token};
use crate::protocol::{Channel, ChannelError, Event, ExecStatus, Received, Request, Response, State, Status, ToShim};
use crate::relay::Scratch;
use crate::session::{Session, exit_code};
use connection::Connection;
use memory::Memory;

/// Buffers are given back after so long without an event.
const IDLE: Duration = Duration::from_secs(1);
/// How long, after the container is over, we stay for a connection that does not read.
const FAREWELL: Duration = Duration::from_secs(5);
/// Ends of exec sessions remembered for the next daemon while nobody is connected.
const REMEMBERED: usize = 64;
/// A process that outlives init (it shares the host's pids) is asked after so often.
const RETRY: Duration = Duration::from_millis(20);

/// SIGCHLD is why we listen; the others must not end a shim before its container.
const SIGNALS: [i32; 5] = [1, 2, 3, 15, 17];

/// Why a shim gave up before it had a container.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The first request did not come.
    #[error("no launch request")]
    Channel(#[from] ChannelError),
    /// The first request was another.
    #[error("the first request is not a launch")]
    NotALaunch,
    /// The container could not be launched, as its daemon was told.
    #[error("the launch failed")]
    Launch,
    /// The event loop could not be set up.
    #[error("cannot set up the event loop")]
    Setup(#[source] rustix::io::Errno),
}

/// A launched container's server.
#[derive(Debug)]
pub(crate) struct Server {
    poller: Poller,
    scratch: Scratch,
    signals: OwnedFd,
    listener: Option<OwnedFd>,
    connections: Vec<Option<Connection>>,
    /// Init is the first.
    sessions: Vec<Option<Session>>,
    container: Container,
    memory: Option<Memory>,
    /// That memory ran out was said.
    out_of_memory: bool,
    state: State,
    unheard: Vec<Event>,
    over_since: Option<Instant>,
    removed: bool,
    /// Nothing was asked for a while, and what that took was given back.
    settled: bool,
}

/// Serves one container from its launch to its end.
pub(crate) fn run(socket: OwnedFd) -> Result<(), ServerError> {
    // Away from the daemon's session and its terminal; fails only for a group leader, which has a session of its own.
    let _ = rustix::process::setsid();
    let mut channel = Channel::new(socket);
    let (seq, request, descriptors) = first_request(&mut channel)?;
    let Request::Launch(request) = request else { return Err(ServerError::NotALaunch) };
    let newborn = match launch(*request, descriptors) {
        Ok(newborn) => newborn,
        Err(failure) => {
            let mut connection = Connection::new(channel);
            connection.respond(seq, Response::LaunchFailed(failure));
            let _ = connection.flush_blocking();
            return Err(ServerError::Launch);
        }
    };
    Server::new(newborn, channel, seq)?.serve();
    Ok(())
}

fn first_request(channel: &mut Channel) -> Result<(u64, Request, Vec<OwnedFd>), ServerError> {
    loop {
        if let Some(parsed) = channel.next(ToShim::parse)? {
            let Ok(ToShim { seq, fds, request }) = parsed else { return Err(ServerError::NotALaunch) };
            return Ok((seq, request, channel.take_descriptors(fds)?));
        }
        // It was sent before we were executed: usually there is nothing to wait for.
        match channel.receive()? {
            Received::Data => {}
            Received::WouldBlock => channel.wait()?,
            Received::End => return Err(ChannelError::Closed.into()),
        }
    }
}

/// Without the socket the container runs on, and its record tells its end; a next daemon just cannot speak with it.
fn listen(container: &Container) -> Option<OwnedFd> {
    crate::address::listen(&container.socket).ok()
}

impl Server {
    /// Answers the launch, then sets up what the launch did not have to wait for.
    fn new(newborn: Newborn, channel: Channel, seq: u64) -> Result<Self, ServerError> {
        let Newborn { container, init, attachments, log } = newborn;
        let mut connection = Connection::new(channel);
        let launched = Response::Launched { pid: init.pid, started_at: container.started_at.clone() };
        let status = Status {
            id: container.id.clone(),
            pid: init.pid,
            started_at: container.started_at.clone(),
            state: State::Running,
            execs: Vec::new(),
            dropped_log_lines: 0,
            out_of_memory: false,
        };
        // Before the answer: a daemon that dies right after it has to find this container when it is back.
        let listener = listen(&container);
        connection.tell(Event::Hello { protocol: crate::protocol::PROTOCOL, status });
        connection.respond(seq, launched);
        connection.flush();
        connection.release();
        protect();
        let poller = Poller::new().map_err(ServerError::Setup)?;
        let signals = signal::signalfd(&SIGNALS).map_err(ServerError::Setup)?;
        poller.add(&signals, Token::Signals, EventFlags::IN).map_err(ServerError::Setup)?;
        let mut server = Self {
            poller,
            scratch: Scratch::default(),
            signals,
            listener,
            connections: vec![Some(connection)],
            sessions: vec![Some(init)],
            container,
            memory: None,
            out_of_memory: false,
            state: State::Running,
            unheard: Vec::new(),
            over_since: None,
            removed: false,
            settled: false,
        };
        if let Some(listener) = &server.listener {
            server.poller.add(listener, Token::Listener, EventFlags::IN).map_err(ServerError::Setup)?;
        }
        server.memory = Memory::watched(server.container.cgroup.as_ref(), &server.poller);
        if let Some(init) = &mut server.sessions[0] {
            init.relay.keep_in(Log::open(&log));
            for (streams, stream) in attachments {
                init.relay.attach(stream, streams, true, &server.poller);
            }
            init.relay.begin(&server.poller);
        }
        server.watch_connections();
        Ok(server)
    }

    fn serve(mut self) {
        // Who died before the signal descriptor was there is found by this first look; so is who was killed before
        // memory was watched.
        self.reap();
        self.tell_of_memory(Memory::look);
        self.wind_up();
        while !self.is_over() {
            let timeout = self.timeout();
            let Ok(events) = self.poller.wait(timeout.and_then(|time| Timespec::try_from(time).ok())) else { return };
            if events.is_empty() {
                self.release();
            }
            for event in events {
                self.take(event);
            }
            let now = Instant::now();
            for session in self.sessions.iter_mut().flatten() {
                session.relay.expire(now, &self.poller);
            }
            self.tell_of_memory(|memory, cgroup| memory.look_again(cgroup, now));
            self.wind_up();
            self.watch_connections();
        }
    }

    fn take(&mut self, Ready { token, flags }: Ready) {
        match token {
            Token::Listener => self.accept(),
            Token::Signals => {
                while let Ok(Some(_)) = signal::next(&self.signals) {}
                self.reap();
            }
            Token::Connection(number) => self.converse(number as usize),
            Token::Memory => self.tell_of_memory(Memory::stirred),
            Token::Stream(session, part) => {
                if let Some(session) = self.sessions.get_mut(session as usize).and_then(Option::as_mut) {
                    session.relay.ready(part, flags, &mut self.scratch, &self.poller);
                }
            }
        }
    }

    /// Tells it where `look` finds that somebody was killed; after init's end its record says it.
    fn tell_of_memory(&mut self, look: impl FnOnce(&mut Memory, Option<&Cgroup>) -> bool) {
        let cgroup = self.container.cgroup.as_ref();
        let killed = self.memory.as_mut().is_some_and(|memory| look(memory, cgroup));
        if killed && self.over_since.is_none() {
            self.out_of_memory = true;
            self.announce(Event::OutOfMemory {});
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let Ok(socket) = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) else { return };
        let mut connection = Connection::new(Channel::new(socket));
        connection.tell(Event::Hello { protocol: crate::protocol::PROTOCOL, status: self.status() });
        for event in self.unheard.drain(..) {
            connection.tell(event);
        }
        match self.connections.iter().position(Option::is_none) {
            Some(free) => self.connections[free] = Some(connection),
            None => self.connections.push(Some(connection)),
        }
    }

    /// Reaps whoever has died: sessions, and orphans that came to us as the nearest subreaper.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get();
            let is_it = |session: &Option<Session>| session.as_ref().is_some_and(|s| s.pid == pid && !s.ended);
            match self.sessions.iter().position(is_it) {
                Some(0) => self.init_ended(status),
                Some(number) => self.exec_ended(number, status),
                None => {}
            }
        }
    }

    fn exec_ended(&mut self, number: usize, status: WaitStatus) {
        let Some(session) = &mut self.sessions[number] else { return };
        session.end();
        session.relay.drain(&mut self.scratch, &self.poller);
        let Some(id) = session.exec.clone() else { return };
        let at = crate::clock::Moment::now().to_string();
        self.announce(Event::ExecExited { id, code: exit_code(status), at });
        if let Some(session) = &mut self.sessions[number] {
            session.relay.finish(&self.poller);
        }
    }

    /// The order is what matters: the log is complete, the record is safe, then it is said; the rest can wait.
    fn init_ended(&mut self, status: WaitStatus) {
        let Some(init) = &mut self.sessions[0] else { return };
        init.end();
        init.relay.drain(&mut self.scratch, &self.poller);
        let record = self.container.obituary(exit_code(status));
        // A record that cannot be written leaves those connected as the only ones to know.
        let _ = record.write(&self.container.record, self.container.durable);
        self.memory = None;
        self.container.bury();
        let (code, oom_killed, at) = (record.code, record.oom_killed, record.at);
        self.state = State::Exited { code, oom_killed, at: at.clone() };
        self.announce(Event::Exited { code, oom_killed, at });
        if let Some(init) = &mut self.sessions[0] {
            init.relay.finish(&self.poller);
        }
        self.listener = None;
        let _ = rustix::fs::unlink(&self.container.socket);
        self.container.kill_the_rest();
        self.over_since = Some(Instant::now());
    }

    fn announce(&mut self, event: Event) {
        let mut heard = false;
        for connection in self.connections.iter_mut().flatten() {
            connection.tell(event.clone());
            connection.flush();
            heard |= !connection.is_broken();
        }
        if !heard && self.unheard.len() < REMEMBERED {
            self.unheard.push(event);
        }
    }

    fn status(&self) -> Status {
        let execs = self.sessions.iter().skip(1).flatten().filter(|session| !session.ended);
        let init = self.sessions.first().and_then(Option::as_ref);
        Status {
            id: self.container.id.clone(),
            pid: init.map_or(0, |init| init.pid),
            started_at: self.container.started_at.clone(),
            state: self.state.clone(),
            execs: execs.map(|s| ExecStatus { id: s.exec.clone().unwrap_or_default(), pid: s.pid }).collect(),
            dropped_log_lines: init.map_or(0, |init| init.relay.dropped_log_lines()),
            out_of_memory: self.out_of_memory,
        }
    }

    /// Forgets exec sessions that are over, and once everybody is dead removes the cgroup.
    fn wind_up(&mut self) {
        for slot in self.sessions.iter_mut().skip(1) {
            if slot.as_ref().is_some_and(|session| session.ended && session.relay.is_finished()) {
                *slot = None;
            }
        }
        if self.over_since.is_some() && !self.removed && self.sessions.iter().flatten().all(|session| session.ended) {
            self.removed = self.container.remove();
        }
    }

    fn is_over(&self) -> bool {
        let Some(since) = self.over_since else { return false };
        let late = since.elapsed() >= FAREWELL;
        let told = self.connections.iter().flatten().all(Connection::is_flushed);
        let finished = self.sessions.iter().flatten().all(|session| session.ended && session.relay.is_finished());
        finished && (self.removed && told || late)
    }

    /// When to look again though nothing happens.
    fn timeout(&self) -> Option<Duration> {
        let now = Instant::now();
        let clients = self.sessions.iter().flatten().filter_map(|session| session.relay.deadline()).min();
        let clients = clients.map(|deadline| deadline.saturating_duration_since(now));
        let idle = (self.scratch.is_held() || !self.settled).then_some(IDLE);
        let retry = self.over_since.map(|_| if self.removed { IDLE } else { RETRY });
        let memory = self.memory.as_ref().and_then(Memory::deadline);
        let memory = memory.map(|deadline| deadline.saturating_duration_since(now));
        [clients, idle, retry, memory].into_iter().flatten().min()
    }

    fn release(&mut self) {
        self.scratch.release();
        for session in self.sessions.iter_mut().flatten() {
            session.relay.release();
        }
        if !std::mem::replace(&mut self.settled, true) {
            // Launching and joining take much code, waiting takes little.
            let _ = berth_sys::memory::forget_code();
        }
    }
}

/// What guards a shim, none of which init should inherit: hence after its birth.
fn protect() {
    // Executed through a descriptor, we would be listed under its number.
    let _ = rustix::thread::set_name(c"berth-shim");
    // Orphans of a container without a pid namespace come to us rather than to the host's init.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    // Not permitted everywhere; then the kernel chooses as it would.
    let _ = std::fs::write("/proc/self/oom_score_adj", "-999");
    // Standard input is the daemon's socket, which is to close when we drop the connection.
    let _ = rustix::stdio::dup2_stdin(std::io::stdout().as_fd());
}
