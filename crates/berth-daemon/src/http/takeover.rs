//! Connections taken over from HTTP: attach and exec start.
//!
//! The handler leaves a [`Takeover`] in the connection's [`Slot`] and never answers; the connection then writes the
//! head itself and copies bytes both ways, beginning with whatever the client sent behind its request. With an
//! `Upgrade` header the head is `101`, without one (old clients) it is a `200` that is followed by raw bytes.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_api::ApiVersion;
use berth_connection::Stream as Connection;
use berth_engine::DetachKeys;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::Instant;

use super::answer::SIGNATURE;
use super::stream::{self, ReadPart, WritePart};
use super::websocket::{self, Dialect};

/// What is copied is copied in pieces of this size.
const BUFFER: usize = 256 << 10;

/// How often a client that only listens is looked at.
const GONE_CHECK: Duration = Duration::from_secs(2);

/// Where a handler leaves its wish.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<Option<Takeover>>>);

impl Slot {
    pub(crate) fn put(&self, takeover: Takeover) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(takeover);
    }

    pub(crate) fn take(&self) -> Option<Takeover> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What to do with a connection: write the head, then open the other side.
///
/// The head goes first, as from Docker: a client must not wait for a process to be born to know that it is spoken to.
pub(crate) struct Takeover {
    pub(crate) head: Vec<u8>,
    /// How long after the head output may follow at the earliest: see [`patience`].
    pub(crate) patience: Duration,
    pub(crate) open: Open,
    /// The client speaks WebSocket.
    pub(crate) websocket: Option<Dialect>,
}

/// Opens the other side. It is offered the client's own connection where nothing but bytes is to be copied: a shim that
/// takes it speaks with the client directly.
pub(crate) type Open = Box<dyn FnOnce(Option<OwnedFd>) -> Pin<Box<dyn Future<Output = Opened> + Send>> + Send>;

/// What was opened before.
pub(crate) fn ready(opened: Opened) -> Open {
    Box::new(move |_| Box::pin(std::future::ready(opened)))
}

/// What the client is written before output begins.
pub(crate) type Backlog = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The other side of a taken-over connection.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) backlog: Option<Backlog>,
    /// Raw input in, output as the client is to get it out. `None`: the backlog is all.
    pub(crate) stream: Option<UnixStream>,
    /// What the client sends is passed on; else it is read and dropped.
    pub(crate) stdin: bool,
    /// The keys that end this, where there is a terminal.
    pub(crate) detach: Option<DetachKeys>,
    /// Called when they were typed.
    pub(crate) detached: Option<Box<dyn FnOnce() + Send>>,
    /// The client's connection is somebody else's by now.
    pub(crate) handed_over: bool,
}

/// The head of the answer that hands a connection over.
pub(crate) fn head(request: &HeaderMap, version: ApiVersion, tty: bool) -> Vec<u8> {
    let framed = !tty && version >= ApiVersion::new(1, 42);
    let kind = if framed { "multiplexed-stream" } else { "raw-stream" };
    let mut head = match request.contains_key(http::header::UPGRADE) {
        true => format!(
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.{kind}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        ),
        // What old clients were told, whatever the bytes look like.
        false => "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n".to_owned(),
    };
    for (name, value) in SIGNATURE {
        head.push_str(&title_case(name));
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Docker's SDK for Python reads the head through a buffer, then goes on below that buffer: output that came along with
/// the head is lost to it. Docker takes so long to start a process that this is hardly ever seen there.
pub(crate) fn patience(request: &HeaderMap) -> Duration {
    let agent = request.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("");
    match agent.contains("docker-sdk-python") || agent.contains("docker-py") {
        true => Duration::from_millis(40),
        false => Duration::ZERO,
    }
}

/// `api-version` as `Api-Version`.
fn title_case(name: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// How a taken-over connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// No more output.
    Output,
    /// The client is gone.
    Client,
    /// The client typed the detach keys.
    Detached,
}

impl Takeover {
    /// Copies until either side is done. `early` came in behind the request.
    pub(crate) async fn run(self, mut client: Connection, early: Bytes) {
        if client.write_all(&self.head).await.is_err() || client.flush().await.is_err() {
            return;
        }
        let earliest = Instant::now() + self.patience;
        let direct = self.websocket.is_none() && self.patience.is_zero() && early.is_empty();
        let own = if direct { stream::local_descriptor(&client) } else { None };
        let Opened { mut backlog, mut stream, stdin, mut detach, detached, handed_over } = (self.open)(own).await;
        if handed_over {
            return;
        }
        if !self.patience.is_zero() {
            tokio::time::sleep_until(earliest).await;
        }
        while let Some(part) = next(&mut backlog).await {
            if client.write_all(&part).await.is_err() || client.flush().await.is_err() {
                return;
            }
        }
        let end = match (&mut stream, self.websocket) {
            (None, _) => End::Output,
            (Some(stream), Some(dialect)) => {
                match websocket::copy(&mut client, early, stream, stdin, detach, dialect).await {
                    true => End::Detached,
                    false => End::Output,
                }
            }
            (Some(stream), None) => {
                let (from_client, to_client) = stream::split(&mut client);
                let (from_stream, to_stream) = stream.split();
                let mut input = Input { client: from_client, stream: Some(to_stream), stdin, detach: &mut detach };
                tokio::select! {
                    end = output(from_stream, to_client) => end,
                    end = input.run(early) => end,
                }
            }
        };
        match end {
            End::Output => drop(client.shutdown().await),
            End::Detached => {
                if let Some(detached) = detached {
                    detached();
                }
                drop(client.shutdown().await);
            }
            End::Client => {}
        }
    }
}

async fn next(backlog: &mut Option<Backlog>) -> Option<Bytes> {
    backlog.as_mut()?.next().await
}

async fn output(mut from: tokio::net::unix::ReadHalf<'_>, mut to: WritePart<'_>) -> End {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return End::Output,
            Ok(length) => {
                if to.write_all(&buffer[..length]).await.is_err() {
                    return End::Client;
                }
            }
        }
    }
}

struct Input<'a> {
    client: ReadPart<'a>,
    /// `None` once the container's standard input is closed.
    stream: Option<tokio::net::unix::WriteHalf<'a>>,
    stdin: bool,
    detach: &'a mut Option<DetachKeys>,
}

impl Input<'_> {
    /// Ends only when the client is gone or detaches; a closed sending side closes the container's input and no more.
    async fn run(&mut self, early: Bytes) -> End {
        if !early.is_empty() && self.pass(&early).await {
            return End::Detached;
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.client.read(&mut buffer).await {
                Ok(0) => break,
                Ok(length) => {
                    if self.pass(&buffer[..length]).await {
                        return End::Detached;
                    }
                }
                Err(_) => return End::Client,
            }
        }
        drop(buffer);
        if self.stdin
            && let Some(mut stream) = self.stream.take()
        {
            // The other side may be gone already, which is as good.
            let _ = stream.shutdown().await;
        }
        self.client_gone().await
    }

    /// Passes input on; true when the detach keys are complete.
    async fn pass(&mut self, data: &[u8]) -> bool {
        let (data, detached) = match self.detach.as_mut() {
            Some(keys) => {
                let (pass, detached) = keys.scan(data);
                (std::borrow::Cow::Owned(pass), detached)
            }
            None => (std::borrow::Cow::Borrowed(data), false),
        };
        if self.stdin
            && let Some(stream) = self.stream.as_mut()
            && stream.write_all(&data).await.is_err()
        {
            // Nobody reads any more; the client's bytes are drained so that its end is noticed.
            self.stream = None;
        }
        detached
    }

    /// Nothing tells of a listening client's going away but its socket, so that is looked at now and then.
    async fn client_gone(&self) -> End {
        while !self.client.hung_up() {
            tokio::time::sleep(GONE_CHECK).await;
        }
        End::Client
    }
}
