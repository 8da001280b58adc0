//! From `start` to `remove`.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use berth_shim::protocol::{Request, Resize, Response};

use super::{Containers, WaitFuture};
use crate::id::parse_name;
use crate::options::{RemoveOptions, WaitCondition};
use crate::plan::signals;
use crate::shared::{Command, Shared};
use crate::spec::DEFAULT_STOP_TIMEOUT;
use crate::{Error, Result};

const SIGKILL: i32 = 9;

/// How long the kernel may take to end a process that was killed.
const KILLED: Duration = Duration::from_secs(30);

/// How a container is ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    /// Seconds; negative: for ever; `None`: its own.
    pub(super) timeout: Option<i64>,
    /// `None`: its own.
    pub(super) signal: Option<&'a str>,
    /// It is to stay ended.
    pub(super) by_hand: bool,
}

impl Containers {
    /// Starts it; its process has been executed when this returns.
    ///
    /// # Errors
    /// [`Error::NotModified`] where it runs; [`Error::Launch`] where its process cannot be born.
    pub async fn start(&self, key: &str) -> Result<()> {
        self.find(key)?.ask(|reply| Command::Start { reply }).await
    }

    /// Sends the stop signal, waits for the grace period (seconds; negative: for ever), then kills. Returns when it has exited.
    ///
    /// # Errors
    /// [`Error::NotModified`] where it does not run.
    pub async fn stop(&self, key: &str, timeout: Option<i64>, signal: Option<&str>) -> Result<()> {
        let shared = self.find(key)?;
        self.end(&shared, key, Ending { timeout, signal, by_hand: true }).await?;
        self.ground.publish(&shared.view(), "stop", &[]);
        Ok(())
    }

    pub(super) async fn end(&self, shared: &Shared, key: &str, ending: Ending<'_>) -> Result<()> {
        let Ending { timeout, signal, by_hand } = ending;
        let view = shared.view();
        if !view.state.counts_as_running() {
            return Err(Error::NotModified { id: shared.id.to_string(), state: "stopped" });
        }
        let signal = match signal.filter(|s| !s.is_empty()) {
            Some(signal) => signals::parse(signal)?,
            None => {
                signals::parse(Some(view.effective.stop_signal.as_str()).filter(|s| !s.is_empty()).unwrap_or("TERM"))?
            }
        };
        let exit = shared.wait(WaitCondition::NotRunning);
        let key = key.to_owned();
        signal_quietly(shared, signal, &key, by_hand).await?;
        let mut exit = std::pin::pin!(exit);
        tokio::select! {
            _ = &mut exit => return Ok(()),
            () = grace(timeout.or(view.effective.stop_timeout)) => {}
        }
        signal_quietly(shared, SIGKILL, &key, by_hand).await?;
        match tokio::time::timeout(KILLED, exit).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Internal(format!("container {} did not end after SIGKILL", shared.id))),
        }
    }

    /// Sends a signal (a name with or without `SIG`, or a number; `None`: SIGKILL) to its main process.
    ///
    /// # Errors
    /// [`Error::KillNotRunning`], a signal that is none.
    pub async fn kill(&self, key: &str, signal: Option<&str>) -> Result<()> {
        let signal = signal.filter(|s| !s.is_empty()).map_or(Ok(SIGKILL), signals::parse)?;
        let shared = self.find(key)?;
        let exit = shared.wait(WaitCondition::NextExit);
        let key = key.to_owned();
        shared.ask(|reply| Command::Signal { signal, key, by_hand: true, reply }).await?;
        if signal == SIGKILL {
            // As with Docker, a kill that cannot be refused is over when it returns.
            drop(tokio::time::timeout(KILLED, exit).await);
        }
        Ok(())
    }

    /// Stops it where it runs, and starts it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&self, key: &str, timeout: Option<i64>, signal: Option<&str>) -> Result<()> {
        let shared = self.find(key)?;
        shared.tell(Command::Keep { keep: true });
        match self.end(&shared, key, Ending { timeout, signal, by_hand: true }).await {
            Ok(()) => self.ground.publish(&shared.view(), "stop", &[]),
            Err(Error::NotModified { .. }) => {}
            Err(error) => {
                shared.tell(Command::Keep { keep: false });
                return Err(error);
            }
        }
        // Somebody may have started it in between: then it runs, which is what was asked for.
        match shared.ask(|reply| Command::Start { reply }).await {
            Ok(()) | Err(Error::NotModified { .. }) => {}
            Err(error) => return Err(error),
        }
        self.ground.publish(&shared.view(), "restart", &[]);
        Ok(())
    }

    /// Freezes every process of it.
    ///
    /// # Errors
    /// Where it does not run or is paused already.
    pub async fn pause(&self, key: &str) -> Result<()> {
        self.find(key)?.ask(|reply| Command::Pause { reply }).await
    }

    /// Thaws it.
    ///
    /// # Errors
    /// Where it is not paused.
    pub async fn unpause(&self, key: &str) -> Result<()> {
        self.find(key)?.ask(|reply| Command::Resume { reply }).await
    }

    /// Removes it with its writable layer and log.
    ///
    /// # Errors
    /// [`Error::RemoveRunning`] without `force`.
    pub async fn remove(&self, key: &str, options: RemoveOptions) -> Result<()> {
        let RemoveOptions { force, volumes } = options;
        self.find(key)?.ask(|reply| Command::Remove { force, volumes, reply }).await
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// A bad or taken name.
    pub async fn rename(&self, key: &str, name: &str) -> Result<()> {
        let shared = self.find(key)?;
        let name = parse_name(name)?;
        if shared.view().name == name {
            return Err(Error::Invalid("Renaming a container with the same name as its current name".into()));
        }
        self.ground.index_mut().reserve(&name, &shared.id)?;
        shared.ask(|reply| Command::Rename { name, reply }).await
    }

    /// Registers for its end; what happens after this returns is not missed.
    ///
    /// # Errors
    /// Where there is no such container.
    pub async fn wait(&self, key: &str, condition: WaitCondition) -> Result<WaitFuture> {
        Ok(WaitFuture { exit: self.find(key)?.wait(condition) })
    }

    /// Sets its terminal's size.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn resize(&self, key: &str, rows: u16, columns: u16) -> Result<()> {
        let shared = self.find(key)?;
        ask(&shared, Request::Resize(Resize { exec: None, rows, columns })).await?;
        let size = [("height", rows.to_string()), ("width", columns.to_string())];
        self.ground.publish(&shared.view(), "resize", &size);
        Ok(())
    }
}

pub(super) async fn ask(shared: &Arc<Shared>, request: Request) -> Result<Response> {
    shared.ask(|reply| Command::Ask { request, reply }).await
}

pub(super) fn unexpected(shared: &Shared, response: &Response) -> Error {
    Error::Internal(format!("the shim of container {} gave an unexpected answer: {response:?}", shared.id))
}

/// A process that has ended in the meantime needs no signal.
async fn signal_quietly(shared: &Shared, signal: i32, key: &str, by_hand: bool) -> Result<()> {
    let key = key.to_owned();
    match shared.ask(|reply| Command::Signal { signal, key, by_hand, reply }).await {
        Err(Error::KillNotRunning { .. } | Error::NoSuchContainer(_) | Error::State(_)) => Ok(()),
        result => result,
    }
}

async fn grace(seconds: Option<i64>) {
    match seconds.map(u64::try_from) {
        None => tokio::time::sleep(DEFAULT_STOP_TIMEOUT).await,
        Some(Ok(seconds)) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        Some(Err(_)) => pending().await,
    }
}
