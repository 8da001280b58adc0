//! Which limits this host's cgroups can set, found by looking for the kernel's files once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use berth_cgroup::{Hierarchy, Mode};

/// A limit that a host may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as the option that asks for it")]
pub enum Limit {
    Memory,
    Swap,
    MemoryReservation,
    MemorySwappiness,
    OomKillDisable,
    KernelMemory,
    KernelMemoryTcp,
    CpuShares,
    CpuQuota,
    CpuRealtime,
    Cpuset,
    Pids,
    BlkioWeight,
    BlkioWeightDevice,
    DeviceReadBps,
    DeviceWriteBps,
    DeviceReadIops,
    DeviceWriteIops,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Memory,
        Self::Swap,
        Self::MemoryReservation,
        Self::MemorySwappiness,
        Self::OomKillDisable,
        Self::KernelMemory,
        Self::KernelMemoryTcp,
        Self::CpuShares,
        Self::CpuQuota,
        Self::CpuRealtime,
        Self::Cpuset,
        Self::Pids,
        Self::BlkioWeight,
        Self::BlkioWeightDevice,
        Self::DeviceReadBps,
        Self::DeviceWriteBps,
        Self::DeviceReadIops,
        Self::DeviceWriteIops,
    ];

    /// On v1: the controller, and files of which one must be in its root or, where the root has none, below it.
    fn v1(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Memory => ("memory", &["memory.limit_in_bytes"]),
            Self::Swap => ("memory", &["memory.memsw.limit_in_bytes"]),
            Self::MemoryReservation => ("memory", &["memory.soft_limit_in_bytes"]),
            Self::MemorySwappiness => ("memory", &["memory.swappiness"]),
            Self::OomKillDisable => ("memory", &["memory.oom_control"]),
            // The file is there still, and refuses every value since Linux 5.16.
            Self::KernelMemory => ("memory", &[]),
            Self::KernelMemoryTcp => ("memory", &["memory.kmem.tcp.limit_in_bytes"]),
            Self::CpuShares => ("cpu", &["cpu.shares"]),
            Self::CpuQuota => ("cpu", &["cpu.cfs_quota_us"]),
            Self::CpuRealtime => ("cpu", &["cpu.rt_runtime_us"]),
            Self::Cpuset => ("cpuset", &["cpuset.cpus"]),
            Self::Pids => ("pids", &["cgroup.procs"]),
            Self::BlkioWeight => ("blkio", &["blkio.weight", "blkio.bfq.weight"]),
            Self::BlkioWeightDevice => ("blkio", &["blkio.weight_device", "blkio.bfq.weight_device"]),
            Self::DeviceReadBps => ("blkio", &["blkio.throttle.read_bps_device"]),
            Self::DeviceWriteBps => ("blkio", &["blkio.throttle.write_bps_device"]),
            Self::DeviceReadIops => ("blkio", &["blkio.throttle.read_iops_device"]),
            Self::DeviceWriteIops => ("blkio", &["blkio.throttle.write_iops_device"]),
        }
    }

    /// On v2, where the root has no such files: the controller that has it; `None`: v2 does not know it.
    fn v2(self) -> Option<&'static str> {
        match self {
            Self::Memory | Self::Swap | Self::MemoryReservation => Some("memory"),
            Self::CpuShares | Self::CpuQuota => Some("cpu"),
            Self::Cpuset => Some("cpuset"),
            Self::Pids => Some("pids"),
            Self::BlkioWeight
            | Self::BlkioWeightDevice
            | Self::DeviceReadBps
            | Self::DeviceWriteBps
            | Self::DeviceReadIops
            | Self::DeviceWriteIops => Some("io"),
            Self::MemorySwappiness
            | Self::OomKillDisable
            | Self::KernelMemory
            | Self::KernelMemoryTcp
            | Self::CpuRealtime => None,
        }
    }
}

/// Those this host can set.
pub(super) fn supported(hierarchy: &Hierarchy) -> BTreeSet<Limit> {
    Limit::ALL.into_iter().filter(|limit| supports(hierarchy, *limit)).collect()
}

fn supports(hierarchy: &Hierarchy, limit: Limit) -> bool {
    if hierarchy.mode() == Mode::V2 {
        return limit.v2().is_some_and(|controller| hierarchy.has(controller)) && not_missing_in_v2(hierarchy, limit);
    }
    let (controller, files) = limit.v1();
    let mount = hierarchy.mounts().iter().find(|mount| mount.controllers.iter().any(|one| one == controller));
    mount.is_some_and(|mount| {
        let directories = std::iter::once(mount.mountpoint.clone()).chain(below(&mount.mountpoint));
        has_any(directories, files)
    })
}

/// A kernel may lack swap accounting or I/O weights; it shows in any cgroup whose parent has the controller enabled. Where
/// there is none to look at, it is believed to have them.
fn not_missing_in_v2(hierarchy: &Hierarchy, limit: Limit) -> bool {
    let (witness, files): (&str, &[&str]) = match limit {
        Limit::Swap => ("memory.max", &["memory.swap.max"]),
        Limit::BlkioWeight | Limit::BlkioWeightDevice => ("io.max", &["io.weight", "io.bfq.weight"]),
        _ => return true,
    };
    let root = hierarchy.unified().map(|mount| mount.mountpoint.clone()).unwrap_or_default();
    let witnesses: Vec<PathBuf> = below(&root).filter(|directory| directory.join(witness).exists()).collect();
    witnesses.is_empty() || has_any(witnesses.into_iter(), files)
}

fn has_any(directories: impl Iterator<Item = PathBuf>, files: &[&str]) -> bool {
    let mut directories = directories;
    directories.any(|directory| files.iter().any(|file| directory.join(file).exists()))
}

fn below(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}
