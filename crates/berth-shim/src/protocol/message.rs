//! The messages. Every type ignores fields it does not know and defaults those it may miss.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::runtime::{LinuxResources, Process, Spec};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::frame::FrameError;

/// Bytes, base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Where the root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// A directory of the host.
    Path(PathBuf),
    /// A detached mount; its descriptor is the frame's first.
    Descriptor,
}

/// The control group to make for the container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CgroupPlan {
    /// Path below each hierarchy's root, such as `/berth/<id>`.
    pub path: String,
    /// A serialised [`berth_cgroup::Hierarchy`], which spares the shim from finding out; `None`: it detects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hierarchy: Option<serde_json::Value>,
}

/// What becomes of the container's output besides the attached streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Nothing is kept.
    #[default]
    None,
    /// Docker's file of one JSON object a line.
    JsonFile,
}

/// Where and how the log is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogPlan {
    /// What writes it.
    #[serde(default)]
    pub driver: LogDriver,
    /// The current file; rotated ones get `.1`, `.2`, ….
    #[serde(default)]
    pub path: PathBuf,
    /// Bytes at which the file is rotated; `None`: [`LogPlan::MAX_SIZE`], 0: never.
    #[serde(default)]
    pub max_size: Option<u64>,
    /// Files kept, the current one included; `None`: [`LogPlan::MAX_FILE`].
    #[serde(default)]
    pub max_file: Option<u32>,
    /// What each line says besides (`labels`, `env`, `tag`).
    #[serde(default)]
    pub attrs: BTreeMap<String, String>,
}

impl LogPlan {
    /// The size at which a log is rotated unless told otherwise.
    pub const MAX_SIZE: u64 = 20 << 20;
    /// The number of files kept unless told otherwise.
    pub const MAX_FILE: u32 = 5;
}

/// How a process's stdio is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StdioPlan {
    /// A pty rather than pipes.
    pub tty: bool,
    /// Stdin stays open for clients; otherwise it is `/dev/null`.
    pub open_stdin: bool,
    /// Stdin closes when the first client that wrote to it is done. With a tty nothing closes.
    pub stdin_once: bool,
    /// The pty's rows; 0: the kernel's default.
    pub rows: u16,
    /// The pty's columns; 0: the kernel's default.
    pub columns: u16,
}

/// Which of a process's streams an attached client takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Streams {
    /// What the client writes goes to stdin.
    pub stdin: bool,
    /// The client gets stdout (and all of a pty's output).
    pub stdout: bool,
    /// The client gets stderr.
    pub stderr: bool,
}

/// Everything needed to give birth to a container's init.
///
/// Descriptors, in this order: the root mount if `root` is [`Root::Descriptor`], the network namespace if `network`,
/// then one stream for each of `attach`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Launch {
    /// The container.
    pub id: String,
    /// The OCI specification; its `linux.resources` become the cgroup's limits.
    pub spec: Spec,
    /// Directory against which the specification's relative paths resolve; absolute.
    pub bundle: PathBuf,
    /// The root file system.
    pub root: Root,
    /// A network namespace comes along as a descriptor, to be joined whatever the specification says.
    #[serde(default)]
    pub network: bool,
    /// The cgroup; `None`: the container stays in the shim's.
    #[serde(default)]
    pub cgroup: Option<CgroupPlan>,
    /// A compiled [`berth_seccomp::Filter`]; `None`: `spec.linux.seccomp` is compiled.
    #[serde(default)]
    pub seccomp: Option<Blob>,
    /// The log.
    #[serde(default)]
    pub log: LogPlan,
    /// File that will say how init ended: `{"code", "oom_killed", "at"}`; its directory exists.
    pub exit_record: PathBuf,
    /// The exit record is synced to disk before the exit is announced.
    #[serde(default)]
    pub durable: bool,
    /// Where the shim listens for further connections; its directory exists.
    pub socket: PathBuf,
    /// Init's stdio.
    #[serde(default)]
    pub stdio: StdioPlan,
    /// Clients attached from the first byte on. They are the container's stdio: lossless, and it waits for them.
    #[serde(default)]
    pub attach: Vec<Streams>,
    /// Move the mount over `/` instead of `pivot_root` (a root in an initramfs).
    #[serde(default)]
    pub no_pivot: bool,
    /// Keep the session keyring.
    #[serde(default)]
    pub no_new_keyring: bool,
}

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

/// A request on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToShim {
    /// Chosen by the client; the answer bears it.
    pub seq: u64,
    /// How many descriptors belong to this frame.
    #[serde(default)]
    pub fds: usize,
    /// The request itself.
    pub request: Request,
}

/// An answer or event on the wire.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FromShim {
    /// Of the request answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The answer, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// … the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// What the engine receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// The answer to a request.
    Response {
        /// The request's number.
        seq: u64,
        /// The answer.
        response: Response,
    },
    /// Something happened.
    Event(Event),
    /// A message newer than this side; ignore it.
    Unknown,
}

/// As much of a message as any version understands.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    seq: Option<u64>,
    #[serde(default)]
    fds: usize,
    #[serde(default)]
    #[serde(rename = "request")]
    _request: IgnoredAny,
}

impl ToShim {
    /// Parses a request; on failure, the number and descriptor count it had as far as they can be told.
    pub fn parse(body: &[u8]) -> Result<Self, (Option<u64>, usize, FrameError)> {
        serde_json::from_slice(body).map_err(|error| {
            let outline = serde_json::from_slice::<Outline>(body).ok();
            let (seq, fds) = outline.map_or((None, 0), |o| (o.seq, o.fds));
            (seq, fds, error.into())
        })
    }
}

impl Incoming {
    /// Parses what a shim said. JSON of an unknown kind is [`Incoming::Unknown`]; what is no JSON object, an error.
    pub fn parse(body: &[u8]) -> Result<Self, FrameError> {
        match serde_json::from_slice::<FromShim>(body) {
            Ok(FromShim { seq: Some(seq), response: Some(response), .. }) => Ok(Self::Response { seq, response }),
            Ok(FromShim { event: Some(event), .. }) => Ok(Self::Event(event)),
            Ok(_) => Ok(Self::Unknown),
            Err(error) => match serde_json::from_slice::<Outline>(body) {
                Ok(_) => Ok(Self::Unknown),
                Err(_) => Err(error.into()),
            },
        }
    }
}

/// Descriptors that came with a frame.
pub(crate) type Descriptors = Vec<OwnedFd>;
