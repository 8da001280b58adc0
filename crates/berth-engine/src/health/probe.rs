//! One check: an exec session whose exit code is the verdict, killed when its time is over.

use std::time::Duration;

use berth_shim::protocol::{Request, Response, Signal};
use jiff::Timestamp;
use tokio::io::AsyncReadExt;

use super::Probe;
use super::output::Output;
use crate::Result;
use crate::containers::Containers;
use crate::id::{ContainerId, ExecId};
use crate::options::ExecStart;
use crate::shared::Command;
use crate::spec::ExecSpec;

/// How long the output of a check that has ended is waited for: a process it left behind may keep it open.
const LAST_WORDS: Duration = Duration::from_millis(100);

const SIGKILL: i32 = 9;

/// A check about to be made.
#[derive(Debug)]
pub(super) struct Check<'a> {
    pub(super) containers: &'a Containers,
    pub(super) container: &'a ContainerId,
    pub(super) command: &'a [String],
}

impl Check<'_> {
    /// Prepares its session.
    pub(super) async fn create(&self) -> Result<ExecId> {
        let spec =
            ExecSpec { args: self.command.to_vec(), attach_stdout: true, attach_stderr: true, ..ExecSpec::default() };
        self.containers.exec_create(self.container.as_str(), spec).await
    }

    /// Runs it to its end.
    pub(super) async fn run(&self, session: &ExecId) -> Result<(i32, String)> {
        let started = self.containers.exec_start(session.as_str(), ExecStart::default(), None).await?;
        let mut output = Output::default();
        let mut code = std::pin::pin!(self.containers.exec_wait(session.as_str()));
        if let Some(mut stream) = started.and_then(|attachment| attachment.stream) {
            let mut buffer = vec![0; 4096];
            loop {
                tokio::select! {
                    read = stream.read(&mut buffer) => match read {
                        Ok(0) | Err(_) => break,
                        Ok(count) => output.feed(&buffer[..count]),
                    },
                    code = &mut code => {
                        drop(tokio::time::timeout(LAST_WORDS, drain(&mut stream, &mut output)).await);
                        return Ok((code?, output.into_text()));
                    }
                }
            }
        }
        Ok((code.await?, output.into_text()))
    }

    /// Kills it with everything it started that has not left its process group, and waits until it is gone.
    pub(super) async fn kill(&self, session: &ExecId) {
        let Ok(shared) = self.containers.ground.index().resolve(self.container.as_str()) else { return };
        let exec = session.to_string();
        let group = Request::KillExec { exec: exec.clone() };
        let killed = shared.ask(|reply| Command::Ask { request: group, reply }).await;
        if !matches!(killed, Ok(Response::Done {})) {
            // A shim of before knows only how to kill the process itself.
            let one = Request::Signal(Signal { exec: Some(exec), signal: SIGKILL });
            drop(shared.ask(|reply| Command::Ask { request: one, reply }).await);
        }
        drop(self.containers.exec_wait(session.as_str()).await);
    }
}

async fn drain(stream: &mut tokio::net::UnixStream, output: &mut Output) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        output.feed(&buffer[..count]);
    }
}

/// A check that is over.
pub(super) fn ended(start: Timestamp, result: Result<(i32, String)>) -> Probe {
    let (exit_code, output) = result.unwrap_or_else(|error| (-1, error.chain()));
    Probe { start, end: Timestamp::now(), exit_code, output }
}

/// A check that took too long.
pub(super) fn overdue(start: Timestamp, limit: Duration) -> Probe {
    let output = format!("Health check exceeded timeout ({})", go_duration(limit));
    Probe { start, end: Timestamp::now(), exit_code: -1, output }
}

/// As Go writes durations: `30s`, `1m30s`, `1.5s`, `200ms`.
fn go_duration(duration: Duration) -> String {
    let fraction = |value: f64, unit: &str| format!("{value}{unit}");
    let seconds = duration.as_secs();
    if duration < Duration::from_millis(1) {
        return fraction(duration.as_nanos() as f64 / 1e3, "µs");
    }
    if seconds == 0 {
        return fraction(duration.as_nanos() as f64 / 1e6, "ms");
    }
    let rest = (seconds % 60) as f64 + f64::from(duration.subsec_nanos()) / 1e9;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => fraction(rest, "s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_go_s() {
        for (millis, text) in
            [(30_000, "30s"), (1500, "1.5s"), (200, "200ms"), (90_000, "1m30s"), (3_600_000, "1h0m0s")]
        {
            assert_eq!(go_duration(Duration::from_millis(millis)), text);
        }
    }
}
