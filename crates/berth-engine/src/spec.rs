//! What a container is asked to be: the request after parsing, before anything exists.
//!
//! The daemon makes a [`ContainerSpec`] from the wire with `TryFrom`; from there on nothing checks it again.
//! Everything optional that Docker distinguishes from its zero value is an `Option`.

mod isolation;
mod mount;
mod resources;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use isolation::{CgroupnsMode, IpcMode, IsolationSpec, PidMode, SeccompSpec};
pub use mount::{MountKind, MountSpec, Origin, Reach, VolumeMount, VolumesFrom};
pub use resources::{DeviceRequest, DeviceRule, DeviceSpec, DeviceValue, ResourceSpec, UlimitSpec};

/// Everything `create` is told about one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The image as the user wrote it (`busybox`, `repo@sha256:…`, an id or its prefix).
    pub image: String,
    /// The platform asked for (`linux/arm64`), where one was.
    pub platform: Option<String>,
    /// What is run, and as whom.
    pub process: ProcessSpec,
    /// Which standard streams exist and are attached.
    pub stdio: StdioSpec,
    /// Labels, ours and the user's; the image's are added at create.
    pub labels: BTreeMap<String, String>,
    /// Hostname; the short id where empty.
    pub hostname: String,
    /// NIS domain name.
    pub domainname: String,
    /// `None`: the image's, or SIGTERM.
    pub stop_signal: Option<String>,
    /// Grace period of `stop`; `None`: 10 seconds.
    pub stop_timeout: Option<i64>,
    /// Namespaces, privileges and confinement.
    pub isolation: IsolationSpec,
    /// Limits.
    pub resources: ResourceSpec,
    /// Mounts asked for one by one.
    pub mounts: Vec<MountSpec>,
    /// Paths that become anonymous volumes (`-v PATH`), besides the image's.
    #[serde(default)]
    pub volumes: Vec<String>,
    /// Containers whose mounts it gets too (`--volumes-from`).
    #[serde(default)]
    pub volumes_from: Vec<VolumesFrom>,
    /// `--volume-driver`, kept for inspect; there is `local` only.
    #[serde(default)]
    pub volume_driver: String,
    /// How it reaches the network.
    pub network: NetworkSpec,
    /// Remove the container when it exits.
    pub auto_remove: bool,
    /// Start it again when it exits.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Where its output goes.
    pub log: LogSpec,
    /// How it is checked whether it is healthy.
    #[serde(default)]
    pub health: HealthSpec,
    /// The OCI runtime by name; empty: ours.
    #[serde(default)]
    pub runtime: String,
    /// OCI annotations.
    pub annotations: BTreeMap<String, String>,
    /// The terminal's first size (rows, columns); `(0, 0)`: unknown.
    pub console_size: (u16, u16),
    /// The client's file with the id; only shown by inspect.
    #[serde(default)]
    pub container_id_file: String,
}

/// `--restart`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// Whenever it ends by itself, and when the daemon starts.
    Always,
    /// As `Always`; once stopped by hand, not when the daemon starts either.
    UnlessStopped,
    /// When it ends with a code that is not 0.
    OnFailure {
        /// So often at most; 0: without end.
        retries: u32,
    },
}

/// `--health-*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthSpec {
    /// The check asked for; `None`: the image's.
    pub check: Option<crate::HealthCheck>,
    /// What is done when it fails.
    pub on_failure: crate::OnFailure,
}

/// The command of a container or exec, as asked for; image defaults are merged at create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// `None`: the image's. `Some([])` or `Some([""])`: cleared.
    pub entrypoint: Option<Vec<String>>,
    /// `None`: the image's, unless the entrypoint was replaced.
    pub cmd: Option<Vec<String>>,
    /// `NAME=value` entries; a bare `NAME` removes the image's.
    pub env: Vec<String>,
    /// Working directory; empty: the image's, or `/`.
    pub working_dir: String,
    /// `user[:group]`, names or numbers; empty: the image's.
    pub user: String,
    /// A pseudo-terminal instead of pipes.
    pub tty: bool,
}

/// Docker's `OpenStdin`, `StdinOnce` and `Attach*`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StdioSpec {
    /// Keep standard input open even if nothing is attached.
    pub open_stdin: bool,
    /// Close standard input when the first attached client goes.
    pub stdin_once: bool,
    /// Only shown by inspect.
    pub attach_stdin: bool,
    /// Only shown by inspect.
    pub attach_stdout: bool,
    /// Only shown by inspect.
    pub attach_stderr: bool,
}

/// `--network`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Which.
    pub mode: NetworkMode,
    /// `--dns`; empty: the host's.
    pub dns: Vec<String>,
    /// `--dns-search`.
    pub dns_search: Vec<String>,
    /// `--dns-option`.
    pub dns_options: Vec<String>,
    /// `--add-host`, as `name:address`; `host-gateway` stands for the bridge's own address.
    pub extra_hosts: Vec<String>,
    /// `EXPOSE`d ports, shown only.
    pub exposed_ports: Vec<String>,
    /// `--mac-address`.
    pub mac_address: Option<String>,
    /// `--ip` on the default bridge is refused by the daemon; kept for user networks.
    pub address: Option<Ipv4Addr>,
}

/// The networks of this version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkMode {
    /// The default bridge; Docker calls it `default` and `bridge`.
    #[default]
    Bridge,
    /// The host's own namespace.
    Host,
    /// A namespace with a loopback device only.
    None,
    /// Another container's: its id, or what the user wrote where no such container was found at create.
    Container(String),
}

/// `--log-driver` and `--log-opt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSpec {
    /// Who gets the output.
    pub driver: LogDriver,
    /// The options as given, for inspect.
    pub options: BTreeMap<String, String>,
}

/// The log drivers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogDriver {
    /// Docker's format, rotated.
    #[default]
    JsonFile,
    /// Docker's compact format, rotated and compressed.
    Local,
    /// The host's journal.
    Journald,
    /// A syslog server.
    Syslog,
    /// Nothing is kept.
    None,
}

/// What an exec is asked to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// The command and its arguments.
    pub args: Vec<String>,
    /// Added to the container's environment.
    pub env: Vec<String>,
    /// Empty: the container's.
    pub working_dir: String,
    /// Empty: the container's.
    pub user: String,
    /// A pseudo-terminal.
    pub tty: bool,
    /// All capabilities.
    pub privileged: bool,
    /// Attach standard input.
    pub attach_stdin: bool,
    /// Attach standard output.
    pub attach_stdout: bool,
    /// Attach standard error.
    pub attach_stderr: bool,
    /// Kept for inspect.
    pub detach_keys: String,
}

/// How long `stop` waits where nothing says otherwise.
pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(10);
