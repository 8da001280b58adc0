//! `HostConfig`: the part of a container's configuration that depends on the host.
//!
//! Docker nests `Resources` in Go but writes its fields beside the others, so here they are one struct, in the
//! order of Docker's answers. Windows-only fields stay because inspect shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::is_default;

/// Host-dependent configuration, as in create's body and in inspect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfig {
    /// `source:target[:options]`.
    pub binds: Option<Vec<String>>,
    /// File the client writes the id to.
    #[serde(rename = "ContainerIDFile")]
    pub container_id_file: String,
    /// Log driver and its options.
    pub log_config: LogConfig,
    /// `default`, `bridge`, `host`, `none`, `container:ID` or a network's name.
    pub network_mode: String,
    /// Published ports by container port (`80/tcp`).
    pub port_bindings: Option<PortMap>,
    /// Restart policy.
    pub restart_policy: RestartPolicy,
    /// Remove when it exits.
    pub auto_remove: bool,
    /// Driver of the volumes in `Binds`.
    pub volume_driver: String,
    /// `container[:ro|rw]`.
    pub volumes_from: Option<Vec<String>>,
    /// Rows and columns.
    pub console_size: [u32; 2],
    /// OCI annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Capabilities added.
    pub cap_add: Option<Vec<String>>,
    /// Capabilities dropped.
    pub cap_drop: Option<Vec<String>>,
    /// `host`, `private` or empty.
    pub cgroupns_mode: String,
    /// Name servers.
    pub dns: Option<Vec<String>>,
    /// Resolver options.
    pub dns_options: Option<Vec<String>>,
    /// Search domains.
    pub dns_search: Option<Vec<String>>,
    /// `name:address` lines for `/etc/hosts`.
    pub extra_hosts: Option<Vec<String>>,
    /// Supplementary groups.
    pub group_add: Option<Vec<String>>,
    /// `none`, `private`, `shareable`, `host`, `container:ID` or empty.
    pub ipc_mode: String,
    /// Cgroup to use of another container.
    pub cgroup: String,
    /// Links to other containers.
    pub links: Option<Vec<String>>,
    /// -1000 to 1000.
    pub oom_score_adj: i64,
    /// `host`, `container:ID` or empty.
    pub pid_mode: String,
    /// All capabilities and devices.
    pub privileged: bool,
    /// Publish every exposed port.
    pub publish_all_ports: bool,
    /// Root file system read-only.
    pub readonly_rootfs: bool,
    /// `name=value` options.
    pub security_opt: Option<Vec<String>>,
    /// Options of the storage driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub storage_opt: BTreeMap<String, String>,
    /// tmpfs options by path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tmpfs: BTreeMap<String, String>,
    /// `host` or empty.
    #[serde(rename = "UTSMode")]
    pub uts_mode: String,
    /// `host` or empty.
    pub userns_mode: String,
    /// Bytes of `/dev/shm`.
    pub shm_size: i64,
    /// Kernel parameters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// OCI runtime.
    pub runtime: String,
    /// Windows only.
    pub isolation: String,
    /// Relative CPU weight.
    pub cpu_shares: i64,
    /// Bytes.
    pub memory: i64,
    /// Billionths of a CPU.
    pub nano_cpus: i64,
    /// Parent cgroup.
    pub cgroup_parent: String,
    /// 10 to 1000, or 0.
    pub blkio_weight: u16,
    /// Weight by device.
    pub blkio_weight_device: Option<Vec<WeightDevice>>,
    /// Read limit by device, bytes a second.
    pub blkio_device_read_bps: Option<Vec<ThrottleDevice>>,
    /// Write limit by device, bytes a second.
    pub blkio_device_write_bps: Option<Vec<ThrottleDevice>>,
    /// Read limit by device, operations a second.
    #[serde(rename = "BlkioDeviceReadIOps")]
    pub blkio_device_read_iops: Option<Vec<ThrottleDevice>>,
    /// Write limit by device, operations a second.
    #[serde(rename = "BlkioDeviceWriteIOps")]
    pub blkio_device_write_iops: Option<Vec<ThrottleDevice>>,
    /// Microseconds.
    pub cpu_period: i64,
    /// Microseconds.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_realtime_period: i64,
    /// Microseconds.
    pub cpu_realtime_runtime: i64,
    /// CPUs, kernel list syntax.
    pub cpuset_cpus: String,
    /// Memory nodes, kernel list syntax.
    pub cpuset_mems: String,
    /// Host devices.
    pub devices: Option<Vec<DeviceMapping>>,
    /// Cgroup device rules, kernel syntax.
    pub device_cgroup_rules: Option<Vec<String>>,
    /// Devices by driver and capability (GPUs).
    pub device_requests: Option<Vec<DeviceRequest>>,
    /// Kernel memory limit (removed from Linux).
    #[serde(skip_serializing_if = "is_default")]
    pub kernel_memory: i64,
    /// Kernel TCP buffer limit.
    #[serde(rename = "KernelMemoryTCP", skip_serializing_if = "is_default")]
    pub kernel_memory_tcp: i64,
    /// Soft limit, bytes.
    pub memory_reservation: i64,
    /// Memory and swap together, bytes; -1 unlimited.
    pub memory_swap: i64,
    /// 0 to 100; `None` or -1: the kernel's.
    pub memory_swappiness: Option<i64>,
    /// Do not kill when out of memory.
    pub oom_kill_disable: Option<bool>,
    /// A small init as pid 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// Number of processes; `None`, 0 or -1: unlimited.
    pub pids_limit: Option<i64>,
    /// rlimits.
    pub ulimits: Option<Vec<Ulimit>>,
    /// Windows only.
    pub cpu_count: i64,
    /// Windows only.
    pub cpu_percent: i64,
    /// Windows only.
    #[serde(rename = "IOMaximumIOps")]
    pub io_maximum_iops: u64,
    /// Windows only.
    #[serde(rename = "IOMaximumBandwidth")]
    pub io_maximum_bandwidth: u64,
    /// Mounts in the structured form.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Paths hidden from the container; `None`: the default list.
    pub masked_paths: Option<Vec<String>>,
    /// Paths made read-only; `None`: the default list.
    pub readonly_paths: Option<Vec<String>>,
}

/// Host addresses by container port.
pub type PortMap = BTreeMap<String, Option<Vec<PortBinding>>>;

/// One published address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PortBinding {
    /// Address on the host; empty: all.
    pub host_ip: String,
    /// Port or range on the host; empty: any free one.
    pub host_port: String,
}

/// `--log-driver` and `--log-opt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfig {
    /// Empty: the daemon's default.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The driver's options.
    pub config: Option<BTreeMap<String, String>>,
}

/// `--restart`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RestartPolicy {
    /// Empty or `no`, `always`, `on-failure`, `unless-stopped`.
    pub name: String,
    /// For `on-failure`.
    pub maximum_retry_count: i64,
}

/// Block IO weight of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WeightDevice {
    /// Path.
    pub path: String,
    /// Weight.
    pub weight: u16,
}

/// Block IO limit of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ThrottleDevice {
    /// Path.
    pub path: String,
    /// A second.
    pub rate: u64,
}

/// `--device`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceMapping {
    /// On the host.
    pub path_on_host: String,
    /// In the container.
    pub path_in_container: String,
    /// Some of `rwm`.
    pub cgroup_permissions: String,
}

/// `--gpus` and its like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeviceRequest {
    /// Driver's name.
    pub driver: String,
    /// How many; -1: all.
    pub count: i64,
    /// Which.
    #[serde(rename = "DeviceIDs")]
    pub device_ids: Option<Vec<String>>,
    /// Alternatives of capability sets.
    pub capabilities: Option<Vec<Vec<String>>>,
    /// Options of the driver.
    pub options: Option<BTreeMap<String, String>>,
}

/// `--ulimit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ulimit {
    /// `nofile`, ….
    pub name: String,
    /// -1: unlimited.
    pub hard: i64,
    /// -1: unlimited.
    pub soft: i64,
}

/// `--mount`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Mount {
    /// `bind`, `volume`, `tmpfs`, `image`, `cluster`, `npipe`.
    #[serde(rename = "Type", skip_serializing_if = "is_default")]
    pub kind: String,
    /// Host path or volume name.
    #[serde(skip_serializing_if = "is_default")]
    pub source: String,
    /// Path in the container.
    #[serde(skip_serializing_if = "is_default")]
    pub target: String,
    /// Read-only.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only: bool,
    /// `default`, `consistent`, `cached`, `delegated`.
    #[serde(skip_serializing_if = "is_default")]
    pub consistency: String,
    /// For `bind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_options: Option<BindOptions>,
    /// For `volume`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_options: Option<VolumeOptions>,
    /// For `image`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_options: Option<ImageOptions>,
    /// For `tmpfs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmpfs_options: Option<TmpfsOptions>,
}

/// Options of a bind mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct BindOptions {
    /// `rprivate`, ….
    #[serde(skip_serializing_if = "is_default")]
    pub propagation: String,
    /// Only this mount, none below it.
    #[serde(skip_serializing_if = "is_default")]
    pub non_recursive: bool,
    /// Make a missing source.
    #[serde(skip_serializing_if = "is_default")]
    pub create_mountpoint: bool,
    /// Read-only applies to this mount only.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only_non_recursive: bool,
    /// Fail where mounts below cannot be made read-only.
    #[serde(skip_serializing_if = "is_default")]
    pub read_only_force_recursive: bool,
}

/// Options of a volume mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeOptions {
    /// Do not fill it from the image.
    #[serde(skip_serializing_if = "is_default")]
    pub no_copy: bool,
    /// Labels of the volume.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Path within the volume.
    #[serde(skip_serializing_if = "is_default")]
    pub subpath: String,
    /// Driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_config: Option<MountDriver>,
}

/// Driver of a volume mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MountDriver {
    /// Name.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// Options of an image mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageOptions {
    /// Path within the image.
    #[serde(skip_serializing_if = "is_default")]
    pub subpath: String,
}

/// Options of a tmpfs mount.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TmpfsOptions {
    /// Bytes; 0: half of memory.
    #[serde(skip_serializing_if = "is_default")]
    pub size_bytes: i64,
    /// Mode bits; 0: 1777.
    #[serde(skip_serializing_if = "is_default")]
    pub mode: u32,
    /// `[name]` or `[name, value]` each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Vec<String>>,
}
