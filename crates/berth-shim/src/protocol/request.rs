//! What may be asked of a shim. Unknown fields are ignored, missing ones defaulted.

use oci_spec::runtime::{LinuxResources, Process};
use serde::{Deserialize, Serialize};

use super::plan::{Blob, Launch, StdioPlan, Streams};

/// One more process in the container. With `attach`, its stream is the frame's descriptor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exec {
    /// The name by which it is spoken of from here on.
    pub id: String,
    /// What to run.
    pub process: Process,
    /// A compiled filter; `None`: the one init was launched with.
    #[serde(default)]
    pub seccomp: Option<Blob>,
    /// Its stdio.
    #[serde(default)]
    pub stdio: StdioPlan,
    /// The client that gets its output; `None`: detached, its output goes nowhere.
    #[serde(default)]
    pub attach: Option<Streams>,
}

/// A client for init's streams; the stream is the frame's descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Which of them.
    pub streams: Streams,
}

/// A pty's new size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    /// Whose pty; `None`: init's.
    #[serde(default)]
    pub exec: Option<String>,
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

/// A signal to one process. `SIGKILL` thaws a paused container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Which process; `None`: init.
    #[serde(default)]
    pub exec: Option<String>,
    /// The signal's number.
    pub signal: i32,
}

/// New limits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Update {
    /// Only what is set changes.
    pub resources: LinuxResources,
}

/// What may be asked of a shim.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Start the container: the first request, once, on the inherited socket. → [`Response::Launched`]
    Launch(Box<Launch>),
    /// → [`Response::Done`]
    Attach(Attach),
    /// → [`Response::ExecStarted`]
    Exec(Box<Exec>),
    /// → [`Response::Done`]
    Resize(Resize),
    /// → [`Response::Done`]
    Signal(Signal),
    /// SIGKILL for an exec session and for every process of its process group; a frozen container stays frozen.
    /// → [`Response::Done`]
    KillExec {
        /// Which session.
        exec: String,
    },
    /// Freeze every process. → [`Response::Done`]
    Pause {},
    /// Thaw. → [`Response::Done`]
    Resume {},
    /// Change limits. → [`Response::Done`]
    Update(Box<Update>),
    /// → [`Response::Stats`]
    Stats {},
    /// The processes of the container's cgroup. → [`Response::Processes`]
    Processes {},
    /// → [`Response::Status`]
    Status {},
}
