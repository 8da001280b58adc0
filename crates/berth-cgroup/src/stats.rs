//! What a cgroup's counters say, in one shape for v1 and v2.

mod v1;
mod v2;

use std::collections::BTreeMap;

use crate::Error;
use crate::cgroup::Cgroup;

/// A moment's figures of one cgroup. Times are nanoseconds, sizes bytes. A part is `None` where its controller is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Processor time.
    pub cpu: Option<CpuStats>,
    /// Memory.
    pub memory: Option<MemoryStats>,
    /// Block devices.
    pub blkio: Option<BlkioStats>,
    /// Tasks.
    pub pids: Option<PidsStats>,
    /// Huge pages, by page size as the kernel spells it (`2MB`).
    pub hugetlb: BTreeMap<String, HugetlbStats>,
    /// RDMA handles and objects by device.
    pub rdma: BTreeMap<String, RdmaStats>,
}

/// Processor time and throttling.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CpuStats {
    /// All time used, in nanoseconds.
    pub total: u64,
    /// Time used on each processor; empty on v2, which does not tell.
    pub per_cpu: Vec<u64>,
    /// Time in user mode.
    pub user: u64,
    /// Time in the kernel.
    pub system: u64,
    /// Periods of the quota that have passed.
    pub periods: u64,
    /// Periods in which the group was throttled.
    pub throttled_periods: u64,
    /// How long it was throttled, in nanoseconds.
    pub throttled_time: u64,
    /// Bursts beyond the quota.
    pub bursts: u64,
    /// How long they lasted, in nanoseconds.
    pub burst_time: u64,
}

/// Memory figures in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// In use, page cache included.
    pub usage: u64,
    /// The most that was ever in use, where the kernel tells.
    pub max_usage: Option<u64>,
    /// The limit; `None` is no limit.
    pub limit: Option<u64>,
    /// How often the limit was hit (v1).
    pub failcnt: u64,
    /// Swap in use, where accounted.
    pub swap: Option<u64>,
    /// Swap limit (of swap alone); `None` is no limit or no accounting.
    pub swap_limit: Option<u64>,
    /// Kernel memory in use, where accounted.
    pub kernel: Option<u64>,
    /// Kernel TCP buffer memory in use, where accounted.
    pub kernel_tcp: Option<u64>,
    /// `memory.stat`, with the kernel's names.
    pub stat: BTreeMap<String, u64>,
    /// Processes killed for want of memory.
    pub oom_kills: u64,
    /// Whether sub-groups count in.
    pub hierarchical: bool,
}

/// One line of a block device table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct BlkioEntry {
    /// Device major number.
    pub major: u64,
    /// Device minor number.
    pub minor: u64,
    /// `Read`, `Write`, `Sync`, `Async`, `Discard`, `Total`, or empty where the table has one figure a device.
    pub op: String,
    /// The figure.
    pub value: u64,
}

/// Block device figures, descendants included.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct BlkioStats {
    /// Bytes moved.
    pub service_bytes: Vec<BlkioEntry>,
    /// Operations done.
    pub serviced: Vec<BlkioEntry>,
    /// Operations queued.
    pub queued: Vec<BlkioEntry>,
    /// Nanoseconds of service.
    pub service_time: Vec<BlkioEntry>,
    /// Nanoseconds waited.
    pub wait_time: Vec<BlkioEntry>,
    /// Operations merged.
    pub merged: Vec<BlkioEntry>,
    /// Disk time in milliseconds.
    pub time: Vec<BlkioEntry>,
    /// Sectors moved.
    pub sectors: Vec<BlkioEntry>,
}

/// Tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PidsStats {
    /// How many there are.
    pub current: u64,
    /// The limit; `None` is no limit.
    pub limit: Option<u64>,
}

/// Huge pages of one size, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct HugetlbStats {
    /// In use.
    pub usage: u64,
    /// The most that was ever in use (v1).
    pub max_usage: u64,
    /// How often the limit was hit.
    pub failcnt: u64,
}

/// RDMA use of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct RdmaStats {
    /// Handles open.
    pub hca_handles: u64,
    /// Objects held.
    pub hca_objects: u64,
}

/// Reads all figures that the cgroup's controllers give.
pub(crate) fn read(cgroup: &Cgroup) -> Result<Stats, Error> {
    if cgroup.is_unified() { v2::read(cgroup) } else { v1::read(cgroup) }
}
