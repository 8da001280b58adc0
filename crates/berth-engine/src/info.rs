//! What `info` tells about the engine and its host.

use std::path::PathBuf;

/// How many containers there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContainerCounts {
    /// All.
    pub total: usize,
    /// Running, not paused.
    pub running: usize,
    /// Paused.
    pub paused: usize,
    /// Neither.
    pub stopped: usize,
}

/// The engine and its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// This installation, a UUID made with its data root.
    pub id: String,
    /// How many containers there are.
    pub containers: ContainerCounts,
    /// Where everything lies.
    pub data_root: PathBuf,
    /// `overlay2`: Docker's name for overlay over directories.
    pub driver: &'static str,
    /// `Backing Filesystem` and the like.
    pub driver_status: Vec<(String, String)>,
    /// `1` or `2`.
    pub cgroup_version: &'static str,
    /// `cgroupfs` or `systemd`.
    pub cgroup_driver: &'static str,
    /// `uname -r`.
    pub kernel_version: String,
    /// `PRETTY_NAME` of os-release.
    pub operating_system: String,
    /// `VERSION_ID` of os-release.
    pub os_version: String,
    /// `uname -m`.
    pub architecture: String,
    /// CPUs this process may use.
    pub cpus: usize,
    /// Bytes.
    pub memory: u64,
    /// The host's name.
    pub hostname: String,
    /// `name=seccomp,profile=builtin`, `name=apparmor`, `name=cgroupns`.
    pub security_options: Vec<String>,
    /// Memory limits work.
    pub memory_limit: bool,
    /// Swap limits work.
    pub swap_limit: bool,
    /// CPU quotas work.
    pub cpu_cfs_quota: bool,
    /// CPU shares work.
    pub cpu_shares: bool,
    /// CPU sets work.
    pub cpuset: bool,
    /// Pid limits work.
    pub pids_limit: bool,
    /// Forwarding of IPv4 is on.
    pub ipv4_forwarding: bool,
    /// What users should know, one sentence each.
    pub warnings: Vec<String>,
}
