//! The daemon itself: version and info.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::is_default;

/// `GET /version`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Version {
    /// Product.
    pub platform: PlatformName,
    /// Engine's version.
    pub version: String,
    /// Newest API served.
    pub api_version: String,
    /// Oldest API served.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    /// `linux`.
    pub os: String,
    /// `amd64`, as Go names it.
    pub arch: String,
    /// What the engine is made of.
    pub components: Vec<Component>,
    /// Commit it was built from.
    pub git_commit: String,
    /// Docker's compiler; for us, Rust's.
    pub go_version: String,
    /// `uname -r`.
    pub kernel_version: String,
    /// Experimental features are on.
    #[serde(skip_serializing_if = "is_default")]
    pub experimental: bool,
    /// RFC 3339.
    #[serde(skip_serializing_if = "is_default")]
    pub build_time: String,
}

/// A product's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PlatformName {
    /// Name.
    pub name: String,
}

/// A part of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Component {
    /// `Engine`, ….
    pub name: String,
    /// Version.
    pub version: String,
    /// More.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// `GET /info`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Info {
    /// The daemon's id, kept over restarts.
    #[serde(rename = "ID")]
    pub id: String,
    /// All containers.
    pub containers: i64,
    /// Running.
    pub containers_running: i64,
    /// Paused.
    pub containers_paused: i64,
    /// Neither.
    pub containers_stopped: i64,
    /// Images.
    pub images: i64,
    /// Storage driver.
    pub driver: String,
    /// Facts about it.
    pub driver_status: Vec<[String; 2]>,
    /// What can be plugged in.
    pub plugins: Plugins,
    /// Kernel can limit memory.
    pub memory_limit: bool,
    /// Kernel can limit swap.
    pub swap_limit: bool,
    /// Kernel has CFS periods.
    pub cpu_cfs_period: bool,
    /// Kernel has CFS quotas.
    pub cpu_cfs_quota: bool,
    /// Kernel has CPU weights.
    #[serde(rename = "CPUShares")]
    pub cpu_shares: bool,
    /// Kernel has cpusets.
    #[serde(rename = "CPUSet")]
    pub cpu_set: bool,
    /// Kernel can limit processes.
    pub pids_limit: bool,
    /// `net.ipv4.ip_forward`.
    #[serde(rename = "IPv4Forwarding")]
    pub ipv4_forwarding: bool,
    /// Bridged packets pass iptables.
    pub bridge_nf_iptables: bool,
    /// Bridged packets pass ip6tables.
    pub bridge_nf_ip6tables: bool,
    /// Debug log is on.
    pub debug: bool,
    /// Open file descriptors.
    #[serde(rename = "NFd")]
    pub n_fd: i64,
    /// cgroup v1 only.
    pub oom_kill_disable: bool,
    /// Tasks of the runtime.
    #[serde(rename = "NGoroutines")]
    pub n_goroutines: i64,
    /// RFC 3339.
    pub system_time: String,
    /// Default log driver.
    pub logging_driver: String,
    /// `cgroupfs` or `systemd`.
    pub cgroup_driver: String,
    /// `1` or `2`.
    #[serde(skip_serializing_if = "is_default")]
    pub cgroup_version: String,
    /// Clients of events.
    #[serde(rename = "NEventsListener")]
    pub n_events_listener: i64,
    /// `uname -r`.
    pub kernel_version: String,
    /// From os-release.
    pub operating_system: String,
    /// From os-release.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub os_type: String,
    /// `x86_64`, as uname names it.
    pub architecture: String,
    /// Docker Hub.
    pub index_server_address: String,
    /// Registries.
    pub registry_config: Option<RegistryConfig>,
    /// CPUs.
    #[serde(rename = "NCPU")]
    pub ncpu: i64,
    /// Bytes.
    pub mem_total: i64,
    /// Swarm only.
    pub generic_resources: Option<Vec<serde_json::Value>>,
    /// Data root.
    pub docker_root_dir: String,
    /// Proxy for pulls.
    pub http_proxy: String,
    /// Proxy for pulls.
    pub https_proxy: String,
    /// Hosts without proxy.
    pub no_proxy: String,
    /// Host name.
    pub name: String,
    /// The daemon's labels.
    pub labels: Vec<String>,
    /// Experimental features are on.
    pub experimental_build: bool,
    /// Engine's version.
    pub server_version: String,
    /// OCI runtimes by name.
    pub runtimes: BTreeMap<String, RuntimePath>,
    /// The one used.
    pub default_runtime: String,
    /// Swarm: inactive.
    pub swarm: SwarmInfo,
    /// Containers live through a daemon's restart.
    pub live_restore_enabled: bool,
    /// Windows only.
    pub isolation: String,
    /// The init of `--init`.
    pub init_binary: String,
    /// A part's commit.
    pub containerd_commit: Commit,
    /// A part's commit.
    pub runc_commit: Commit,
    /// A part's commit.
    pub init_commit: Commit,
    /// `name=seccomp,profile=builtin`, ….
    pub security_options: Vec<String>,
    /// Pools that networks are taken from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_address_pools: Vec<AddressPool>,
    /// Directories of CDI specifications.
    #[serde(rename = "CDISpecDirs")]
    pub cdi_spec_dirs: Vec<String>,
    /// What the host lacks.
    pub warnings: Option<Vec<String>>,
}

/// Names of plugins by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Plugins {
    /// Volume drivers.
    pub volume: Vec<String>,
    /// Network drivers.
    pub network: Vec<String>,
    /// Authorization plugins.
    pub authorization: Option<Vec<String>>,
    /// Log drivers.
    pub log: Vec<String>,
}

/// How registries are spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RegistryConfig {
    /// Ranges spoken to without TLS.
    #[serde(rename = "InsecureRegistryCIDRs")]
    pub insecure_registry_cidrs: Vec<String>,
    /// By registry name.
    pub index_configs: BTreeMap<String, IndexInfo>,
    /// Mirrors of Docker Hub.
    pub mirrors: Vec<String>,
}

/// How one registry is spoken to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IndexInfo {
    /// Name.
    pub name: String,
    /// Mirrors.
    pub mirrors: Vec<String>,
    /// By TLS.
    pub secure: bool,
    /// Docker Hub.
    pub official: bool,
}

/// An OCI runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RuntimePath {
    /// Program.
    #[serde(skip_serializing_if = "is_default")]
    pub path: String,
    /// Arguments.
    #[serde(rename = "runtimeArgs", skip_serializing_if = "Vec::is_empty")]
    pub runtime_args: Vec<String>,
    /// Features and the like.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub status: BTreeMap<String, String>,
}

/// Swarm's state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SwarmInfo {
    /// Node.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// Node's address.
    pub node_addr: String,
    /// `inactive`.
    pub local_node_state: String,
    /// Manager.
    pub control_available: bool,
    /// Error.
    pub error: String,
    /// Managers.
    pub remote_managers: Option<Vec<serde_json::Value>>,
}

/// A commit of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Commit {
    /// Hash.
    #[serde(rename = "ID")]
    pub id: String,
}

/// A pool that networks are taken from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AddressPool {
    /// Range.
    pub base: String,
    /// Prefix length of a network.
    pub size: i64,
}
