//! What a container is asked to run (`Config`), the create call around it, and the small answers of container calls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::network::NetworkingConfig;
use crate::{Empty, HostConfig, decode, is_default};

/// The portable part of a container's configuration: `Config` in inspect, the top level of create's body.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// Host name.
    pub hostname: String,
    /// NIS domain name.
    pub domainname: String,
    /// `user[:group]`.
    pub user: String,
    /// The client will attach to standard input.
    pub attach_stdin: bool,
    /// The client will attach to standard output.
    pub attach_stdout: bool,
    /// The client will attach to standard error.
    pub attach_stderr: bool,
    /// Ports the image says it listens on, as `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// Allocate a pseudo-terminal.
    pub tty: bool,
    /// Keep standard input open.
    pub open_stdin: bool,
    /// Close standard input when the first client detaches.
    pub stdin_once: bool,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Command; `None`: the image's.
    #[serde(deserialize_with = "command")]
    pub cmd: Option<Vec<String>>,
    /// Health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthConfig>,
    /// Windows only.
    #[serde(skip_serializing_if = "is_default")]
    pub args_escaped: bool,
    /// Image as the user wrote it.
    pub image: String,
    /// Anonymous volumes by path.
    pub volumes: Option<BTreeMap<String, Empty>>,
    /// Working directory.
    pub working_dir: String,
    /// Entrypoint; `None`: the image's; `[""]`: none.
    #[serde(deserialize_with = "command")]
    pub entrypoint: Option<Vec<String>>,
    /// No network at all.
    #[serde(skip_serializing_if = "is_default")]
    pub network_disabled: bool,
    /// MAC address (deprecated; the endpoint's setting replaces it).
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: String,
    /// Build triggers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_build: Option<Vec<String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Signal that stops the container.
    #[serde(skip_serializing_if = "is_default")]
    pub stop_signal: String,
    /// Seconds `stop` waits before it kills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// Shell for the shell form of instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
}

/// A command may come as one string or as a list.
fn command<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Command {
        Many(Vec<String>),
        One(String),
    }
    Ok(Option::<Command>::deserialize(deserializer)?.map(|command| match command {
        Command::Many(words) => words,
        Command::One(word) => vec![word],
    }))
}

/// The annotation that says what is done when a container becomes unhealthy: `none`, `kill`, `restart` or `stop`. Ours;
/// other engines carry it along without a meaning.
pub const HEALTH_ON_FAILURE: &str = "berth.health-on-failure";

/// A health check; durations in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthConfig {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between checks.
    #[serde(skip_serializing_if = "is_default")]
    pub interval: i64,
    /// For one check.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout: i64,
    /// Failures in this time after the start do not count.
    #[serde(skip_serializing_if = "is_default")]
    pub start_period: i64,
    /// Between checks during the start period.
    #[serde(skip_serializing_if = "is_default")]
    pub start_interval: i64,
    /// Consecutive failures that make it unhealthy.
    #[serde(skip_serializing_if = "is_default")]
    pub retries: i64,
}

/// The body of `POST /containers/create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CreateRequest {
    /// What runs.
    #[serde(flatten)]
    pub config: ContainerConfig,
    /// Where and how it runs.
    #[serde(rename = "HostConfig", skip_serializing_if = "Option::is_none")]
    pub host_config: Option<Box<HostConfig>>,
    /// Which networks it joins.
    #[serde(rename = "NetworkingConfig", skip_serializing_if = "Option::is_none")]
    pub networking_config: Option<NetworkingConfig>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct BesideConfig {
    host_config: Option<Box<HostConfig>>,
    networking_config: Option<NetworkingConfig>,
}

impl CreateRequest {
    /// Reads the body by Go's rules; the top level is `Config`'s fields and the two objects beside them.
    ///
    /// # Errors
    /// Not JSON, or a field of another type.
    pub fn decode(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut value: Value = serde_json::from_slice(body)?;
        let mut beside = serde_json::Map::new();
        if let Value::Object(map) = &mut value {
            let names: Vec<String> = map
                .keys()
                .filter(|key| key.eq_ignore_ascii_case("HostConfig") || key.eq_ignore_ascii_case("NetworkingConfig"))
                .cloned()
                .collect();
            for name in names {
                if let Some(object) = map.remove(&name) {
                    beside.insert(name, object);
                }
            }
        }
        let beside: BesideConfig = decode::from_value(Value::Object(beside))?;
        Ok(Self {
            config: decode::from_value(value)?,
            host_config: beside.host_config,
            networking_config: beside.networking_config,
        })
    }
}

/// Answer of create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CreateResponse {
    /// The new container's id.
    pub id: String,
    /// Never null.
    pub warnings: Vec<String>,
}

/// Answer of a prune of containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainersPruned {
    /// Their ids.
    pub containers_deleted: Option<Vec<String>>,
    /// Bytes.
    pub space_reclaimed: u64,
}

/// Answer of `POST /berth/stop-all`, which is berth's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllStopped {
    /// Names of containers that ran and do not any more.
    pub stopped: Vec<String>,
    /// Why others still do, by name.
    pub failed: std::collections::BTreeMap<String, String>,
}

/// Answer of update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UpdateResponse {
    /// One sentence each.
    pub warnings: Option<Vec<String>>,
}

/// Answer of wait.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WaitResponse {
    /// Exit code.
    pub status_code: i64,
    /// Why the wait itself failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<WaitError>,
}

/// Why a wait failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WaitError {
    /// One sentence.
    pub message: String,
}

/// The body of every error answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorResponse {
    /// One sentence.
    pub message: String,
}
