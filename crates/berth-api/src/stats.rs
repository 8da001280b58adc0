//! `GET /containers/{id}/stats`, and `GET /containers/{id}/top`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::is_default;

/// A moment's figures of a container. Times are nanoseconds, sizes bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// The container's id.
    pub id: String,
    /// Its name, with slash.
    pub name: String,
    /// `linux`.
    #[serde(skip_serializing_if = "is_default")]
    pub os_type: String,
    /// When, RFC 3339.
    pub read: String,
    /// Processor time.
    pub cpu_stats: CpuStats,
    /// Memory.
    pub memory_stats: MemoryStats,
    /// By interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<BTreeMap<String, NetworkStats>>,
    /// Processes.
    pub pids_stats: PidsStats,
    /// Block devices.
    pub blkio_stats: BlkioStats,
    /// Windows only.
    pub num_procs: u32,
    /// Windows only.
    pub storage_stats: crate::Empty,
    /// When the figures before these were read, RFC 3339.
    pub preread: String,
    /// Processor time then.
    pub precpu_stats: CpuStats,
}

impl Default for Stats {
    fn default() -> Self {
        let zero = || crate::ZERO_TIME.to_owned();
        Self {
            id: String::new(),
            name: String::new(),
            os_type: String::new(),
            read: zero(),
            cpu_stats: CpuStats::default(),
            memory_stats: MemoryStats::default(),
            networks: None,
            pids_stats: PidsStats::default(),
            blkio_stats: BlkioStats::default(),
            num_procs: 0,
            storage_stats: crate::Empty {},
            preread: zero(),
            precpu_stats: CpuStats::default(),
        }
    }
}

/// Processor time of a container and its host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuStats {
    /// The container's.
    pub cpu_usage: CpuUsage,
    /// The host's, idle time included.
    #[serde(skip_serializing_if = "is_default")]
    pub system_cpu_usage: u64,
    /// Processors of the host.
    #[serde(skip_serializing_if = "is_default")]
    pub online_cpus: u32,
    /// How it was held back.
    pub throttling_data: Throttling,
}

/// Processor time of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// All of it.
    pub total_usage: u64,
    /// By processor; cgroup v1 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percpu_usage: Option<Vec<u64>>,
    /// In the kernel.
    pub usage_in_kernelmode: u64,
    /// In programs.
    pub usage_in_usermode: u64,
}

/// What a quota did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttling {
    /// Periods that passed.
    pub periods: u64,
    /// Those in which it was held back.
    pub throttled_periods: u64,
    /// For how long.
    pub throttled_time: u64,
}

/// Memory of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// In use, page cache included.
    #[serde(skip_serializing_if = "is_default")]
    pub usage: u64,
    /// The most that was in use; cgroup v1 only.
    #[serde(skip_serializing_if = "is_default")]
    pub max_usage: u64,
    /// The kernel's own counters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub stats: BTreeMap<String, u64>,
    /// How often the limit was hit; cgroup v1 only.
    #[serde(skip_serializing_if = "is_default")]
    pub failcnt: u64,
    /// The limit, or the host's memory.
    #[serde(skip_serializing_if = "is_default")]
    pub limit: u64,
}

/// Processes of a container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PidsStats {
    /// How many.
    #[serde(skip_serializing_if = "is_default")]
    pub current: u64,
    /// How many there may be.
    #[serde(skip_serializing_if = "is_default")]
    pub limit: u64,
}

/// Block devices; `None`: this host does not count it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioStats {
    /// Bytes.
    pub io_service_bytes_recursive: Option<Vec<BlkioEntry>>,
    /// Operations.
    pub io_serviced_recursive: Option<Vec<BlkioEntry>>,
    /// Operations that wait.
    pub io_queue_recursive: Option<Vec<BlkioEntry>>,
    /// Time of service.
    pub io_service_time_recursive: Option<Vec<BlkioEntry>>,
    /// Time waited.
    pub io_wait_time_recursive: Option<Vec<BlkioEntry>>,
    /// Operations merged.
    pub io_merged_recursive: Option<Vec<BlkioEntry>>,
    /// Time of the disk.
    pub io_time_recursive: Option<Vec<BlkioEntry>>,
    /// Sectors.
    pub sectors_recursive: Option<Vec<BlkioEntry>>,
}

/// A figure of one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlkioEntry {
    /// Major number.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
    /// `Read`, `Write`, …; in lower case on cgroup v2.
    pub op: String,
    /// The figure.
    pub value: u64,
}

/// What went over an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkStats {
    /// Bytes that came.
    pub rx_bytes: u64,
    /// Packets that came.
    pub rx_packets: u64,
    /// Packets that came damaged.
    pub rx_errors: u64,
    /// Packets that came and were dropped.
    pub rx_dropped: u64,
    /// Bytes that went.
    pub tx_bytes: u64,
    /// Packets that went.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_errors: u64,
    /// Packets that were dropped on their way out.
    pub tx_dropped: u64,
}

/// Processes in columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Top {
    /// A row for each process.
    pub processes: Vec<Vec<String>>,
    /// The columns' headings.
    pub titles: Vec<String>,
}
