//! Between the user's terminal and a container: copying both ways, detaching, signals, window sizes.

pub(crate) mod input;
mod output;
pub(crate) mod signals;

use std::future::Future;
use std::time::Duration;

use berth_client::{Error, Hijacked};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::failure::Failure;
use crate::grammar::keys::Watch;
use crate::terminal;

pub(crate) use output::Sink;

/// What is read at once: as much as a socket holds.
const BUFFER: usize = 256 << 10;

/// What is attached of a container.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    /// It has a terminal: bytes come unframed, and ours is made raw if standard input is attached.
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) detach_keys: Vec<u8>,
    /// Signals are passed on by somebody else; otherwise one that ends us puts the terminal back first.
    pub(crate) proxied: bool,
}

/// Why copying ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The container has no more to say.
    Output,
    /// The user typed the keys that detach.
    Detached,
}

/// Copies until the container's output ends or the user detaches. The terminal is raw meanwhile where the
/// container has one and we feed it.
pub(crate) async fn copy(stream: Hijacked, attached: &Attached) -> Result<Ended, Failure> {
    let raw = (attached.tty && attached.stdin).then(terminal::Raw::enter).flatten();
    let (mut from, mut to) = stream.into_split();
    let mut sink = Sink::new(attached.tty, attached.stdout, attached.stderr);
    let mut typed = attached.stdin.then(input::read);
    let mut watch = (attached.tty && raw.is_some()).then(|| Watch::new(attached.detach_keys.clone()));
    let mut buffer = vec![0u8; BUFFER];
    // What was typed and is not sent yet. Sending waits beside reading: a container that echoes stops taking input
    // until its output is read.
    let (mut unsent, mut sent) = (Vec::new(), 0);
    let ended = signals::ends_us();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            number = &mut ended, if raw.is_some() && !attached.proxied => {
                return Err(Failure::silent(128 + number as u8));
            }
            read = from.read(&mut buffer) => match read {
                Ok(0) => return Ok(Ended::Output),
                Ok(n) => sink.write(&buffer[..n])?,
                Err(error) if is_hangup(&error) => return Ok(Ended::Output),
                Err(error) => return Err(error.into()),
            },
            taken = to.write(&unsent[sent..]), if sent < unsent.len() => match taken {
                Ok(n) => sent += n,
                // A container that no longer reads is no reason to stop showing what it says.
                Err(_) => {
                    typed = None;
                    unsent.clear();
                    sent = 0;
                }
            },
            chunk = next(&mut typed), if sent == unsent.len() => match chunk {
                None => {
                    typed = None;
                    _ = to.shutdown().await;
                    if !attached.stdout && !attached.stderr {
                        return Ok(Ended::Output);
                    }
                }
                Some(bytes) => {
                    let pass = match &mut watch {
                        Some(watch) => watch.feed(&bytes),
                        None => Some(bytes),
                    };
                    let Some(bytes) = pass else { return Ok(Ended::Detached) };
                    (unsent, sent) = (bytes, 0);
                }
            },
        }
    }
}

/// The next chunk of input; never, where there is none.
async fn next(typed: &mut Option<input::Chunks>) -> Option<Vec<u8>> {
    match typed {
        Some(chunks) => chunks.recv().await,
        None => std::future::pending().await,
    }
}

fn is_hangup(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
}

/// Tells the terminal's size now (unless it is known already) and whenever it changes, for as long as it is polled.
pub(crate) async fn follow_size<F>(known: bool, resize: impl Fn(u16, u16) -> F)
where
    F: Future<Output = Result<(), Error>>,
{
    let mut changes = signals::window_changes();
    if !known && let Some((rows, columns)) = terminal::size() {
        // Right after the start the terminal may not be there yet.
        for pause in [0u64, 10, 50, 100, 200, 400] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if resize(rows, columns).await.is_ok() {
                break;
            }
        }
    }
    loop {
        match &mut changes {
            Some(changes) => _ = changes.recv().await,
            None => std::future::pending().await,
        }
        if let Some((rows, columns)) = terminal::size() {
            _ = resize(rows, columns).await;
        }
    }
}
