//! What readers see of containers and exec sessions: immutable snapshots, rich enough for `inspect` and `ps`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use berth_network::Endpoint;
use berth_oci::ImageId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::{Health, HealthCheck};
use crate::id::{ContainerId, ExecId};
use crate::spec::{ContainerSpec, ExecSpec, MountSpec};
use crate::state::State;

/// What the request and the image's configuration amount to; fixed at create. `inspect` shows it as `Config`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Effective {
    /// The entrypoint; `None`: there is none.
    pub entrypoint: Option<Vec<String>>,
    /// The command; `None`: there is none.
    pub cmd: Option<Vec<String>>,
    /// The environment without what every container has (`HOSTNAME`, `HOME`, `TERM`).
    pub env: Vec<String>,
    /// Working directory; empty: `/`.
    pub working_dir: String,
    /// `user[:group]`; empty: root.
    pub user: String,
    /// Hostname; the short id unless asked otherwise.
    pub hostname: String,
    /// Labels of image and request.
    pub labels: BTreeMap<String, String>,
    /// As text; empty: `SIGTERM`.
    pub stop_signal: String,
    /// Seconds; `None`: 10.
    pub stop_timeout: Option<i64>,
    /// `port/protocol`, of image and request.
    pub exposed_ports: Vec<String>,
    /// The paths that request and image declare to be volumes.
    pub volumes: Vec<String>,
    /// Everything mounted: what was asked for, what was declared, what other containers have.
    #[serde(default)]
    pub mounts: Vec<MountSpec>,
    /// What the image says beyond that, for `inspect`.
    #[serde(default)]
    pub on_build: Option<Vec<String>>,
    /// How it is checked whether it is healthy.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// The shell of the image's shell forms.
    #[serde(default)]
    pub shell: Option<Vec<String>>,
}

impl Effective {
    /// The program and its arguments.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        self.words().cloned().collect()
    }

    /// The same, one after another.
    pub fn words(&self) -> impl Iterator<Item = &String> {
        self.entrypoint.iter().flatten().chain(self.cmd.iter().flatten())
    }
}

/// A container at one moment.
#[derive(Debug, Clone)]
pub struct ContainerView {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without slash.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// What was asked for.
    pub spec: Arc<ContainerSpec>,
    /// What that amounts to with the image's defaults.
    pub effective: Arc<Effective>,
    /// The image's id (`spec.image` is its name as the user wrote it).
    pub image_id: ImageId,
    /// The platform of the image, `os/architecture`.
    pub platform: String,
    /// Where it stands.
    pub state: State,
    /// How often it has been started.
    pub runs: u64,
    /// How often its policy has restarted it since somebody last started it.
    pub restarts: u32,
    /// Its place on the bridge, while it runs there.
    pub endpoint: Option<Endpoint>,
    /// Exec sessions that run.
    pub execs: Vec<ExecId>,
    /// Its files on the host.
    pub paths: Paths,
    /// AppArmor profile in force; empty: none.
    pub apparmor: String,
    /// What its checks say; `None`: it has no check, or was never started.
    pub health: Option<Arc<Health>>,
}

impl ContainerView {
    /// When the main process was last started, where it was.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Running { since, .. } | State::Paused { since, .. } => Some(*since),
            state => state.exit().map(|exit| exit.started_at),
        }
    }

    /// The exit code `inspect` shows: 0 until there is one.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match &self.state {
            State::Created { failed: Some((code, _)) } => *code,
            state => state.exit().map_or(0, |exit| exit.code),
        }
    }

    /// What went wrong at its last start or exit; empty: nothing.
    #[must_use]
    pub fn error(&self) -> &str {
        match &self.state {
            State::Created { failed: Some((_, error)) } | State::Dead { error, .. } => error,
            state => state.exit().map_or("", |exit| &exit.error),
        }
    }
}

/// A container's files on the host; a file need not exist before the first start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// The container's directory.
    pub directory: PathBuf,
    /// The current `json-file` log; empty with another driver.
    pub log: PathBuf,
    /// Mounted at `/etc/hostname`.
    pub hostname: PathBuf,
    /// Mounted at `/etc/hosts`.
    pub hosts: PathBuf,
    /// Mounted at `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
    /// The image's layers, uppermost first.
    pub lowers: Vec<PathBuf>,
    /// The writable layer.
    pub upper: PathBuf,
    /// Overlay's scratch directory.
    pub work: PathBuf,
    /// Where volumes lie: `<name>/_data`.
    pub volumes: PathBuf,
}

impl Paths {
    /// A volume's content.
    #[must_use]
    pub fn volume(&self, name: &str) -> PathBuf {
        self.volumes.join(name).join("_data")
    }
}

/// An exec session at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecView {
    /// Its id.
    pub id: ExecId,
    /// The container it belongs to.
    pub container: ContainerId,
    /// What was asked for.
    pub spec: ExecSpec,
    /// Whether its process lives.
    pub running: bool,
    /// How it ended; `None`: it has not.
    pub exit_code: Option<i32>,
    /// Its process as the host numbers it; 0: never born.
    pub pid: i32,
}
