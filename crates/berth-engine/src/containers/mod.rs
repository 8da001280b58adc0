//! The containers' verbs: find the container, pass the command to its task, wait for what the caller asked to wait for.
//!
//! One file a family of verbs: `create.rs`, `foresee.rs` (what creating would do), `life.rs` (start to remove), `stdio.rs` (attach, logs), `exec.rs`.

mod create;
mod down;
mod exec;
mod figures;
mod foresee;
mod life;
mod stdio;
mod update;

pub use foresee::Foreseen;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::UnixStream;

use crate::ground::Ground;
use crate::id::{ContainerId, ExecId};
use crate::options::DetachKeys;
use crate::shared::Shared;
use crate::view::ContainerView;
use crate::{Error, Result};

/// The handle on containers; a cheap clone is the same handle.
///
/// A `key` is a container's id, a unique beginning of it, or its name with or without the leading slash.
#[derive(Debug, Clone)]
pub struct Containers {
    pub(crate) ground: Arc<Ground>,
}

/// What `create` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The new container.
    pub id: ContainerId,
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
}

/// What `wait` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// As Docker counts: the exit code, or 128 and the signal.
    pub code: i32,
    /// What went wrong besides; empty: nothing.
    pub error: String,
}

impl Exit {
    pub(crate) fn of(view: &ContainerView) -> Self {
        Self { code: view.exit_code(), error: view.error().to_owned() }
    }
}

/// The end that [`Containers::wait`] waits for; it cannot be missed once the call has returned.
#[derive(Debug)]
pub struct WaitFuture {
    pub(crate) exit: tokio::sync::oneshot::Receiver<Exit>,
}

impl Future for WaitFuture {
    type Output = Result<Exit>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.exit)
            .poll(context)
            .map(|exit| exit.map_err(|_| Error::Internal("the container's task ended before the container".into())))
    }
}

/// A client's end of a container's or exec session's stdio.
///
/// What is written to `stream` is raw stdin (shutting down writing is end of file); what is read is the terminal's raw
/// bytes with `tty`, and Docker's frames of eight-byte headers without. `None`: none was asked for.
#[derive(Debug)]
pub struct Attachment {
    /// The stream to copy from and to.
    pub stream: Option<UnixStream>,
    /// Raw bytes, not frames.
    pub tty: bool,
    /// Pass what the client types through this where there is one (a terminal), and call [`Containers::detached`] when it says so.
    pub detach_keys: Option<DetachKeys>,
    /// The container.
    pub container: ContainerId,
    /// The exec session; `None`: it is the container's own process.
    pub exec: Option<ExecId>,
}

impl Containers {
    /// Every container, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<ContainerView>> {
        self.ground.index().values().iter().map(|shared| shared.view()).collect()
    }

    /// One container.
    ///
    /// # Errors
    /// Where there is no such container.
    pub fn inspect(&self, key: &str) -> Result<Arc<ContainerView>> {
        Ok(self.find(key)?.view())
    }

    pub(crate) fn find(&self, key: &str) -> Result<Arc<Shared>> {
        self.ground.index().resolve(key)
    }
}
