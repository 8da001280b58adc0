//! What a container is launched from. Unknown fields are ignored, missing ones defaulted.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_spec::runtime::Spec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::log::LogPlan;

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
    /// Who makes it; with systemd the path is `slice:prefix:name`.
    #[serde(default)]
    pub driver: berth_cgroup::Driver,
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

/// A runtime that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RuntimePlan {
    /// The program.
    pub path: PathBuf,
    /// Its arguments before the command.
    pub args: Vec<String>,
}

/// Everything needed to give birth to a container's init.
///
/// Descriptors, in this order: the root mount if `root` is [`Root::Descriptor`], the network namespace if `network`,
/// then one stream for each of `attach`, then one detached mount for each of `sources`. What follows is kept open as
/// long as the shim lives, and never touched.
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
    /// Targets of those of the specification's mounts whose source comes along as a descriptor, whatever it says.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// Move the mount over `/` instead of `pivot_root` (a root in an initramfs).
    #[serde(default)]
    pub no_pivot: bool,
    /// Keep the session keyring.
    #[serde(default)]
    pub no_new_keyring: bool,
    /// Executed instead of our own runtime; `spec.linux.seccomp` says what is filtered then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimePlan>,
}
