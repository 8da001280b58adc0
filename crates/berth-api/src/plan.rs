//! Answer of `POST /containers/plan`, which is berth's own: what creating and starting a container would do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::host_config::Ulimit;
use crate::is_default;

/// A container that is not made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CreatePlan {
    /// The name asked for; empty: one is made up.
    pub name: String,
    /// Image as the user wrote it.
    pub image: String,
    /// Its id.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Its platform, `os/architecture`.
    pub platform: String,
    /// Entrypoint and command together.
    pub command: Vec<String>,
    /// Everything the process finds in its environment.
    pub environment: Vec<String>,
    /// `user[:group]`; empty: root.
    pub user: String,
    /// Where the process begins.
    pub working_dir: String,
    /// Host name.
    pub hostname: String,
    /// The OCI runtime.
    pub runtime: String,
    /// Removed when it exits.
    pub auto_remove: bool,
    /// What is mounted besides what every container has.
    pub mounts: Vec<PlannedMount>,
    /// What it may use.
    pub limits: PlannedLimits,
    /// How it reaches the network.
    pub network: PlannedNetwork,
    /// What create would warn of, one sentence each.
    pub warnings: Vec<String>,
    /// What only creating or starting decides, one phrase each.
    pub later: Vec<String>,
    /// The OCI runtime specification.
    pub spec: Value,
}

/// A mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlannedMount {
    /// `bind`, `volume`, `tmpfs` or `image`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Path on the host, volume or image.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// As the runtime gets them.
    pub options: Vec<String>,
    /// The source is not there and would be made.
    pub new: bool,
}

/// Limits; zero, empty and `None` are left out: the kernel's own default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlannedLimits {
    /// Bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub memory: i64,
    /// Bytes of memory and swap together; -1: no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_swap: i64,
    /// Bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub memory_reservation: i64,
    /// Billionths of a CPU.
    #[serde(skip_serializing_if = "is_default")]
    pub nano_cpus: i64,
    /// Relative weight.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_shares: i64,
    /// Microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_period: i64,
    /// Microseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub cpu_quota: i64,
    /// CPUs it may run on.
    #[serde(skip_serializing_if = "is_default")]
    pub cpuset_cpus: String,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<i64>,
    /// rlimits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<Ulimit>,
    /// The cgroup that holds it to them.
    pub cgroup: String,
}

/// The network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlannedNetwork {
    /// `bridge`, `host`, `none` or `container:ID`.
    pub mode: String,
    /// The MAC address asked for.
    #[serde(skip_serializing_if = "is_default")]
    pub mac_address: String,
    /// Name servers asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// Lines asked for in `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_hosts: Vec<String>,
}
