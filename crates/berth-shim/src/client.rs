//! The engine's side: starts shims, connects to running ones, and speaks [`crate::protocol`] with them.
//!
//! A [`Connection`] never blocks in `send`, `flush` and `try_receive`, so it can be driven from an event loop through
//! its descriptor (tokio: `AsyncFd<Connection>`); `call` and `receive` block, for tests and tools.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::protocol::{
    Channel, ChannelError, Failure, FrameError, Incoming, Launch, MAX_DESCRIPTORS, Received, Request, Response, ToShim,
    encode,
};

/// Why a shim could not be reached or did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The program could not be started.
    #[error("cannot start the shim of container {id}")]
    Start {
        /// The container.
        id: String,
        /// The cause.
        source: io::Error,
    },
    /// Nobody listens there.
    #[error("cannot connect to the shim at {}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A message could not be made.
    #[error("cannot encode a request to the shim")]
    Encode(#[from] FrameError),
    /// The connection broke.
    #[error("lost the shim")]
    Channel(#[from] ChannelError),
    /// The container's process could not be started; nothing is left of it.
    #[error(transparent)]
    Launch(Failure),
    /// The shim answered something else than the question.
    #[error("the shim gave an answer that does not fit the request")]
    Unexpected,
}

/// The descriptors of a [`Launch`].
#[derive(Debug, Default)]
pub struct LaunchDescriptors {
    /// The detached root mount, with [`crate::protocol::Root::Descriptor`].
    pub root: Option<OwnedFd>,
    /// The network namespace, with [`Launch::network`].
    pub network: Option<OwnedFd>,
    /// A unix stream for each of [`Launch::attach`].
    pub attach: Vec<OwnedFd>,
    /// A detached mount for each of [`Launch::sources`].
    pub sources: Vec<OwnedFd>,
    /// What is to stay open as long as the container lives, whatever becomes of this process. Of very many not all.
    pub held: Vec<OwnedFd>,
}

/// A launched container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// Its init, as the host numbers it.
    pub pid: i32,
    /// RFC 3339 in UTC, nanoseconds.
    pub started_at: String,
}

/// A connection to a shim.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    next_seq: u64,
    /// Messages that arrived while `call` waited for its answer.
    set_aside: std::collections::VecDeque<Incoming>,
    child: Option<Child>,
}

/// Starts `program` as the shim of `launch.id` and waits until the container's init runs.
///
/// `program` is `berth_runtime::own_program()`, or any executable whose `shim` command is [`crate::main`]. Blocks for
/// the milliseconds that a launch takes: call it from a thread that may. [`start`] is the same without the wait.
pub fn spawn(
    program: BorrowedFd<'_>,
    launch: Launch,
    descriptors: LaunchDescriptors,
) -> Result<(Connection, Launched), ClientError> {
    let (connection, seq) = start(program, launch, descriptors)?;
    launched(connection, seq)
}

/// Starts a shim that has nothing to launch yet, so that [`launch_in`] need not wait for a program to be executed.
/// It ends when the connection is dropped; reap it then ([`Connection::reap`]).
pub fn prepare(program: BorrowedFd<'_>, id: &str) -> Result<Connection, ClientError> {
    let (mut connection, theirs) = pair(id)?;
    connection.child = Some(execute(program, id, theirs)?);
    Ok(connection)
}

/// As [`spawn`], in a shim that [`prepare`] started.
pub fn launch_in(
    mut connection: Connection,
    launch: Launch,
    descriptors: LaunchDescriptors,
) -> Result<(Connection, Launched), ClientError> {
    let seq = connection.send(Request::Launch(Box::new(launch)), descriptors.in_order())?;
    while !connection.flush()? {
        connection.channel.wait()?;
    }
    launched(connection, seq)
}

fn launched(mut connection: Connection, seq: u64) -> Result<(Connection, Launched), ClientError> {
    match connection.response_to(seq) {
        Ok(Response::Launched { pid, started_at }) => Ok((connection, Launched { pid, started_at })),
        Ok(Response::LaunchFailed(failure)) => {
            connection.reap();
            Err(ClientError::Launch(failure))
        }
        Ok(_) => Err(ClientError::Unexpected),
        Err(error) => Err(error),
    }
}

/// Starts a shim and sends it the launch request; the answer will bear the returned number.
pub fn start(
    program: BorrowedFd<'_>,
    launch: Launch,
    descriptors: LaunchDescriptors,
) -> Result<(Connection, u64), ClientError> {
    let id = launch.id.clone();
    let (mut connection, theirs) = pair(&id)?;
    // Queued before the program starts: it finds its request waiting.
    let seq = connection.send(Request::Launch(Box::new(launch)), descriptors.in_order())?;
    connection.flush()?;
    connection.child = Some(execute(program, &id, theirs)?);
    while !connection.flush()? {
        connection.channel.wait()?;
    }
    Ok((connection, seq))
}

fn pair(id: &str) -> Result<(Connection, UnixStream), ClientError> {
    let (ours, theirs) = UnixStream::pair().map_err(|source| ClientError::Start { id: id.to_owned(), source })?;
    Ok((Connection::over(ours.into()), theirs))
}

/// Nothing is asked of the child but what `posix_spawn` can do, a working directory least of all: without it std forks,
/// and a fork copies the page tables of a daemon that may be large, and has every page of it copied that is written next.
fn execute(program: BorrowedFd<'_>, id: &str, socket: UnixStream) -> Result<Child, ClientError> {
    Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .arg0("berth")
        .args(["shim", id])
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| ClientError::Start { id: id.to_owned(), source })
}

impl LaunchDescriptors {
    fn in_order(self) -> Vec<OwnedFd> {
        let needed = self.root.into_iter().chain(self.network).chain(self.attach).chain(self.sources);
        needed.chain(self.held).take(MAX_DESCRIPTORS).collect()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

impl AsRawFd for Connection {
    fn as_raw_fd(&self) -> RawFd {
        self.channel.as_raw_fd()
    }
}

impl Connection {
    /// Connects to a running shim. A refusal or a missing socket means that the shim is gone: read the exit record.
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = crate::address::connect(socket)
            .map_err(|source| ClientError::Connect { path: socket.to_path_buf(), source })?;
        Ok(Self::over(stream))
    }

    fn over(socket: OwnedFd) -> Self {
        Self { channel: Channel::new(socket), next_seq: 1, set_aside: std::collections::VecDeque::new(), child: None }
    }

    /// The shim's own process, as the socket knows it.
    pub fn peer(&self) -> Option<i32> {
        rustix::net::sockopt::socket_peercred(self.channel.as_fd()).ok().map(|peer| peer.pid.as_raw_nonzero().get())
    }

    /// Queues a request and sends what the socket takes at once; the answer will bear the returned number.
    /// Does not block: when [`Connection::has_outgoing`], call [`Connection::flush`] once the socket is writable.
    pub fn send(&mut self, request: Request, descriptors: Vec<OwnedFd>) -> Result<u64, ClientError> {
        let seq = self.next_seq;
        let frame = encode(&ToShim { seq, fds: descriptors.len(), request })?;
        self.next_seq += 1;
        self.channel.queue(frame, descriptors);
        self.channel.flush()?;
        Ok(seq)
    }

    /// Whether part of a request still waits for the socket.
    pub fn has_outgoing(&self) -> bool {
        self.channel.has_outgoing()
    }

    /// Sends what the socket takes; true: nothing is left.
    pub fn flush(&mut self) -> Result<bool, ClientError> {
        Ok(self.channel.flush()?)
    }

    /// The next message, without blocking; `None`: wait until the socket is readable.
    /// [`ChannelError::Closed`]: the shim has exited (or is about to); see [`Connection::reap`].
    pub fn try_receive(&mut self) -> Result<Option<Incoming>, ClientError> {
        if let Some(incoming) = self.set_aside.pop_front() {
            return Ok(Some(incoming));
        }
        self.read_message()
    }

    fn read_message(&mut self) -> Result<Option<Incoming>, ClientError> {
        loop {
            if let Some(parsed) = self.channel.next(Incoming::parse)? {
                return Ok(Some(parsed?));
            }
            match self.channel.receive()? {
                Received::Data => {}
                Received::WouldBlock => return Ok(None),
                Received::End => return Err(ChannelError::Closed.into()),
            }
        }
    }

    /// The next message; blocks.
    pub fn receive(&mut self) -> Result<Incoming, ClientError> {
        loop {
            if let Some(incoming) = self.try_receive()? {
                return Ok(incoming);
            }
            self.channel.wait()?;
            self.flush()?;
        }
    }

    /// Sends a request and waits for its answer; events that come in between are kept for `receive`. Blocks.
    pub fn call(&mut self, request: Request, descriptors: Vec<OwnedFd>) -> Result<Response, ClientError> {
        let seq = self.send(request, descriptors)?;
        self.response_to(seq)
    }

    /// Waits for the answer to request `seq`; blocks.
    pub fn response_to(&mut self, seq: u64) -> Result<Response, ClientError> {
        loop {
            match self.read_message()? {
                Some(Incoming::Response { seq: of, response }) if of == seq => return Ok(response),
                Some(other) => self.set_aside.push_back(other),
                None => {
                    self.channel.wait()?;
                    self.flush()?;
                }
            }
        }
    }

    /// Waits for the shim's process if we started it: the zombie's end. Call it when the connection is closed.
    pub fn reap(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already reaped by somebody else is as good.
            let _ = child.wait();
        }
    }

    /// Closes the connection and, where this side started the shim, waits for its end: for one that launched nothing.
    pub fn dismiss(mut self) {
        let child = self.child.take();
        drop(self);
        if let Some(mut child) = child {
            // Already reaped by somebody else is as good.
            let _ = child.wait();
        }
    }

    /// The shim's own process, where this side started it.
    pub fn shim_pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }
}
