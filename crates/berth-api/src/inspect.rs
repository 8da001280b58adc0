//! `GET /containers/{id}/json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host_config::PortMap;
use crate::image::Descriptor;
use crate::network::EndpointSettings;
use crate::{ContainerConfig, HostConfig, is_default};

/// Everything about one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerInspect {
    /// 64 hex digits.
    pub id: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    /// The program.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it is doing.
    pub state: State,
    /// Image id.
    pub image: String,
    /// Host path; empty until the first start.
    pub resolv_conf_path: String,
    /// Host path; empty until the first start.
    pub hostname_path: String,
    /// Host path; empty until the first start.
    pub hosts_path: String,
    /// Host path; empty until the first start.
    pub log_path: String,
    /// With leading slash.
    pub name: String,
    /// Restarts by policy.
    pub restart_count: i64,
    /// Storage driver.
    pub driver: String,
    /// `linux`.
    pub platform: String,
    /// SELinux label of its mounts.
    pub mount_label: String,
    /// SELinux label of its process.
    pub process_label: String,
    /// AppArmor profile.
    #[serde(rename = "AppArmorProfile")]
    pub app_armor_profile: String,
    /// Running execs.
    #[serde(rename = "ExecIDs")]
    pub exec_ids: Option<Vec<String>>,
    /// Host-dependent configuration.
    pub host_config: Option<Box<HostConfig>>,
    /// Where its root file system lies.
    pub graph_driver: GraphDriver,
    /// Bytes written, with `size=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<i64>,
    /// Bytes in all, with `size=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<i64>,
    /// Mounts.
    pub mounts: Vec<MountPoint>,
    /// Portable configuration.
    pub config: Option<Box<ContainerConfig>>,
    /// Networks.
    pub network_settings: NetworkSettings,
    /// Manifest the image was picked by (1.48 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_manifest_descriptor: Option<Descriptor>,
}

/// What a container is doing. The booleans overlap as Docker's do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct State {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub status: String,
    /// Also true while paused.
    pub running: bool,
    /// Frozen.
    pub paused: bool,
    /// Waiting for its policy.
    pub restarting: bool,
    /// Killed for memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Could not be removed.
    pub dead: bool,
    /// On the host; 0 unless running.
    pub pid: i64,
    /// Last exit code.
    pub exit_code: i64,
    /// Why the last start failed.
    pub error: String,
    /// RFC 3339 or [`crate::ZERO_TIME`].
    pub started_at: String,
    /// RFC 3339 or [`crate::ZERO_TIME`].
    pub finished_at: String,
    /// Where there is a health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// State of the health check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Health {
    /// `starting`, `healthy`, `unhealthy`, `none`.
    pub status: String,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The last few.
    pub log: Option<Vec<HealthResult>>,
}

/// One run of the health check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthResult {
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
    /// 0: healthy.
    pub exit_code: i64,
    /// The first 4 KiB.
    pub output: String,
}

/// Where a root file system lies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GraphDriver {
    /// Directories by role.
    pub data: Option<BTreeMap<String, String>>,
    /// Storage driver.
    pub name: String,
}

/// One mount of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MountPoint {
    /// `bind`, `volume`, `tmpfs`.
    #[serde(rename = "Type", skip_serializing_if = "is_default")]
    pub kind: String,
    /// Volume's name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Host path.
    pub source: String,
    /// Path in the container.
    pub destination: String,
    /// Volume driver.
    #[serde(skip_serializing_if = "is_default")]
    pub driver: String,
    /// The options as given.
    pub mode: String,
    /// Writable.
    #[serde(rename = "RW")]
    pub rw: bool,
    /// `rprivate`, ….
    pub propagation: String,
}

/// A container's networks. The address fields beside `Networks` repeat the default bridge's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkSettings {
    /// Unused.
    pub bridge: String,
    /// Id of the network namespace.
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    /// Path of the network namespace.
    pub sandbox_key: String,
    /// Published ports.
    pub ports: Option<PortMap>,
    /// Unused.
    pub hairpin_mode: bool,
    /// Unused.
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    /// Unused.
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: i64,
    /// Unused.
    #[serde(rename = "SecondaryIPAddresses")]
    pub secondary_ip_addresses: Option<Vec<serde_json::Value>>,
    /// Unused.
    #[serde(rename = "SecondaryIPv6Addresses")]
    pub secondary_ipv6_addresses: Option<Vec<serde_json::Value>>,
    /// Default bridge's endpoint.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Default bridge's gateway.
    pub gateway: String,
    /// Default bridge's.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// Default bridge's.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: i64,
    /// Default bridge's.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Default bridge's.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: i64,
    /// Default bridge's.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// Default bridge's.
    pub mac_address: String,
    /// By network name.
    pub networks: Option<BTreeMap<String, EndpointSettings>>,
}
