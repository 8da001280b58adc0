//! The containers' verbs: find the container, pass the command to its task, wait for what the caller asked to wait for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::UnixStream;

use crate::id::{ContainerId, ExecId};
use crate::logs::LogStream;
use crate::options::{AttachOptions, DetachKeys, ExecStart, LogOptions, RemoveOptions, WaitCondition};
use crate::spec::{ContainerSpec, ExecSpec};
use crate::view::{ContainerView, ExecView};
use crate::{Error, Result};

/// The handle on containers; a cheap clone is the same handle.
///
/// A `key` is a container's id, a unique beginning of it, or its name with or without the leading slash.
#[derive(Debug, Clone)]
pub struct Containers {}

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
/// bytes with `tty`, and Docker's frames of eight-byte headers without. `None`: only the log was asked for.
#[derive(Debug)]
pub struct Attachment {
    /// The stream to copy from and to.
    pub stream: Option<UnixStream>,
    /// Raw bytes, not frames.
    pub tty: bool,
    /// What was logged before, to be given first (`logs=1`).
    pub backlog: Option<LogStream>,
    /// Pass what the client types through this where there is one (a terminal), and call [`Containers::detached`] when it says so.
    pub detach_keys: Option<DetachKeys>,
    /// The container.
    pub container: ContainerId,
}

const NOT_BUILT: &str = "this call";

fn not_built<T>() -> Result<T> {
    Err(Error::NotImplemented(NOT_BUILT.into()))
}

impl Containers {
    /// Makes a container from an image that is there. The record is durable when this returns.
    ///
    /// # Errors
    /// A bad or taken name, no such image, or a specification that cannot be.
    pub async fn create(&self, name: Option<String>, spec: ContainerSpec) -> Result<Created> {
        let _ = (name, spec);
        not_built()
    }

    /// Starts it; its process has been executed when this returns.
    ///
    /// # Errors
    /// [`Error::NotModified`] where it runs; [`Error::Launch`] where its process cannot be born.
    pub async fn start(&self, key: &str) -> Result<()> {
        let _ = key;
        not_built()
    }

    /// Sends the stop signal, waits for the grace period (seconds; negative: for ever), then kills. Returns when it has exited.
    ///
    /// # Errors
    /// [`Error::NotModified`] where it does not run.
    pub async fn stop(&self, key: &str, timeout: Option<i64>, signal: Option<&str>) -> Result<()> {
        let _ = (key, timeout, signal);
        not_built()
    }

    /// Sends a signal (a name with or without `SIG`, or a number; `None`: SIGKILL) to its main process.
    ///
    /// # Errors
    /// [`Error::KillNotRunning`], a signal that is none.
    pub async fn kill(&self, key: &str, signal: Option<&str>) -> Result<()> {
        let _ = (key, signal);
        not_built()
    }

    /// Stops it where it runs, and starts it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&self, key: &str, timeout: Option<i64>, signal: Option<&str>) -> Result<()> {
        let _ = (key, timeout, signal);
        not_built()
    }

    /// Freezes every process of it.
    ///
    /// # Errors
    /// Where it does not run or is paused already.
    pub async fn pause(&self, key: &str) -> Result<()> {
        let _ = key;
        not_built()
    }

    /// Thaws it.
    ///
    /// # Errors
    /// Where it is not paused.
    pub async fn unpause(&self, key: &str) -> Result<()> {
        let _ = key;
        not_built()
    }

    /// Removes it with its writable layer and log.
    ///
    /// # Errors
    /// [`Error::RemoveRunning`] without `force`.
    pub async fn remove(&self, key: &str, options: RemoveOptions) -> Result<()> {
        let _ = (key, options);
        not_built()
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// A bad or taken name.
    pub async fn rename(&self, key: &str, name: &str) -> Result<()> {
        let _ = (key, name);
        not_built()
    }

    /// Registers for its end; what happens after this returns is not missed.
    ///
    /// # Errors
    /// Where there is no such container.
    pub async fn wait(&self, key: &str, condition: WaitCondition) -> Result<WaitFuture> {
        let _ = (key, condition);
        not_built()
    }

    /// Takes part in its stdio, now or (where it does not run) from its next start on.
    ///
    /// # Errors
    /// Where it is paused; detach keys that are none.
    pub async fn attach(&self, key: &str, options: AttachOptions) -> Result<Attachment> {
        let _ = (key, options);
        not_built()
    }

    /// Says that a client has typed its detach keys (an event).
    pub fn detached(&self, container: &ContainerId) {
        let _ = container;
    }

    /// Its output so far, and with `follow` until it ends.
    ///
    /// # Errors
    /// Where its log driver keeps nothing.
    pub async fn logs(&self, key: &str, options: LogOptions) -> Result<LogStream> {
        let _ = (key, options);
        not_built()
    }

    /// Every container, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<ContainerView>> {
        Vec::new()
    }

    /// One container.
    ///
    /// # Errors
    /// Where there is no such container.
    pub fn inspect(&self, key: &str) -> Result<Arc<ContainerView>> {
        Err(Error::NoSuchContainer(key.to_owned()))
    }

    /// Sets its terminal's size.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn resize(&self, key: &str, rows: u16, columns: u16) -> Result<()> {
        let _ = (key, rows, columns);
        not_built()
    }

    /// The figures of its cgroup, as [`berth_cgroup::Stats`].
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn stats(&self, key: &str) -> Result<berth_cgroup::Stats> {
        let _ = key;
        not_built()
    }

    /// Its processes as the host numbers them.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn processes(&self, key: &str) -> Result<Vec<i32>> {
        let _ = key;
        not_built()
    }

    /// Prepares a further process in a running container.
    ///
    /// # Errors
    /// Where it does not run or is paused, with Docker's sentences; no command.
    pub async fn exec_create(&self, key: &str, spec: ExecSpec) -> Result<ExecId> {
        let _ = (key, spec);
        not_built()
    }

    /// Runs it; `None` with `detach`. Its process has been executed when this returns.
    ///
    /// # Errors
    /// [`Error::ExecLaunch`]; a session that has run already.
    pub async fn exec_start(&self, id: &str, options: ExecStart) -> Result<Option<Attachment>> {
        let _ = (id, options);
        not_built()
    }

    /// Sets its terminal's size.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn exec_resize(&self, id: &str, rows: u16, columns: u16) -> Result<()> {
        let _ = (id, rows, columns);
        not_built()
    }

    /// One exec session.
    ///
    /// # Errors
    /// [`Error::NoSuchExec`].
    pub fn exec_inspect(&self, id: &str) -> Result<ExecView> {
        Err(Error::NoSuchExec(id.to_owned()))
    }

    /// The grace period where nobody says otherwise.
    #[must_use]
    pub const fn default_stop_timeout() -> Duration {
        crate::spec::DEFAULT_STOP_TIMEOUT
    }
}
