//! What a shim says: answers, events, its state.

use serde::{Deserialize, Serialize};

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The command does not exist in the container: Docker's 127.
    NotFound,
    /// The command exists and cannot be executed: Docker's 126.
    NotExecutable,
    /// The process spoken of has ended or never was.
    NotRunning,
    /// The request contradicts itself or the state.
    Invalid,
    /// This shim does not know the request.
    Unsupported,
    /// Anything else: Docker's 125.
    #[serde(other)]
    Other,
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind.
    pub code: Code,
    /// One sentence for the user.
    pub message: String,
}

/// Where init stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not launched yet.
    Created,
    /// Alive.
    Running,
    /// Alive, and frozen.
    Paused,
    /// Over, as the exit record says.
    Exited {
        /// As [`Event::Exited`].
        code: i32,
        /// As [`Event::Exited`].
        oom_killed: bool,
        /// As [`Event::Exited`].
        at: String,
    },
}

/// A running exec session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecStatus {
    /// Its name.
    pub id: String,
    /// Its process, as the host numbers it.
    pub pid: i32,
}

/// What is true now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The container.
    pub id: String,
    /// Init's process, as the host numbers it; 0 before the launch.
    pub pid: i32,
    /// When it was launched, RFC 3339 in UTC; empty before.
    pub started_at: String,
    /// Where it stands.
    pub state: State,
    /// Exec sessions that have not ended.
    #[serde(default)]
    pub execs: Vec<ExecStatus>,
    /// Log lines that could not be written.
    #[serde(default)]
    pub dropped_log_lines: u64,
    /// An [`Event::OutOfMemory`] was said.
    #[serde(default)]
    pub out_of_memory: bool,
}

/// A shim's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Init runs: its `execve` succeeded.
    Launched {
        /// Init, as the host numbers it.
        pid: i32,
        /// RFC 3339 in UTC, nanoseconds.
        started_at: String,
    },
    /// The exec session runs: its `execve` succeeded.
    ExecStarted {
        /// The process, as the host numbers it.
        pid: i32,
        /// RFC 3339 in UTC, nanoseconds.
        started_at: String,
    },
    /// Nothing of a launch or exec is left behind. After a failed launch the shim exits.
    LaunchFailed(Failure),
    /// It is so now.
    Done {},
    /// A [`berth_cgroup::Stats`].
    Stats(serde_json::Value),
    /// Process ids, as the host numbers them.
    Processes(Vec<i32>),
    /// The state.
    Status(Status),
    /// It could not be done.
    Failed(Failure),
}

/// What a shim says unasked, to every connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first thing said on a connection.
    Hello {
        /// [`super::PROTOCOL`] of the shim.
        protocol: u32,
        /// Its state at this moment.
        status: Status,
    },
    /// Init ended; the exit record is written, the log complete.
    Exited {
        /// As Docker counts: the exit code, or 128 and the signal.
        code: i32,
        /// The kernel killed a process of the container for lack of memory.
        oom_killed: bool,
        /// RFC 3339 in UTC, nanoseconds.
        at: String,
    },
    /// The kernel killed a process of the container for lack of memory; init may go on.
    OutOfMemory {},
    /// An exec session ended.
    ExecExited {
        /// Which.
        id: String,
        /// As for init.
        code: i32,
        /// RFC 3339 in UTC, nanoseconds.
        at: String,
    },
}
