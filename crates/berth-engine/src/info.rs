//! What `info` tells about the engine and its host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_image::{Driver, Storage};

use crate::ground::Ground;
use crate::host::Limit;
use crate::policy::DefaultSeccomp;
use crate::spec::{CgroupnsMode, IsolationSpec};
use crate::state::State;
use crate::view::ContainerView;
use crate::{Error, Result, plan};

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
    /// The form of new layers: `overlay2` (Docker's name for overlay over directories) or `erofs`.
    pub driver: &'static str,
    /// Why that form, `Backing Filesystem` and the like.
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
    /// The OOM killer can be kept from a container.
    pub oom_kill_disable: bool,
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

pub(crate) fn gather(ground: &Ground, containers: &[Arc<ContainerView>]) -> Result<Info> {
    let host = &ground.host;
    let mut security_options = Vec::new();
    if !host.apparmor_default.is_empty() {
        security_options.push("name=apparmor".to_owned());
    }
    if host.seccomp {
        let profile = match &ground.policy.seccomp {
            DefaultSeccomp::Builtin => "builtin".to_owned(),
            DefaultSeccomp::Unconfined => "unconfined".to_owned(),
            DefaultSeccomp::Profile { path, .. } => path.display().to_string(),
        };
        security_options.push(format!("name=seccomp,profile={profile}"));
    }
    let cgroupns = plan::namespaces::cgroup(&IsolationSpec::default(), host, &ground.policy);
    if cgroupns == CgroupnsMode::Private && host.cgroup_namespaces {
        security_options.push("name=cgroupns".to_owned());
    }
    if ground.policy.no_new_privileges {
        security_options.push("name=no-new-privileges".to_owned());
    }
    let forwarding = std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|text| text.trim() == "1");
    let storage = ground.images.storage();
    Ok(Info {
        id: identity(&ground.data_root)?,
        containers: count(containers),
        data_root: ground.data_root.clone(),
        driver: storage.driver.as_str(),
        driver_status: driver_status(&ground.data_root, &storage),
        cgroup_version: if host.cgroup_v2 { "2" } else { "1" },
        cgroup_driver: if ground.policy.systemd_cgroups { "systemd" } else { "cgroupfs" },
        kernel_version: host.kernel.clone(),
        operating_system: host.operating_system.clone(),
        os_version: host.os_version.clone(),
        architecture: host.machine.clone(),
        cpus: host.cpus,
        memory: host.memory,
        hostname: host.hostname.clone(),
        security_options,
        memory_limit: host.can(Limit::Memory),
        swap_limit: host.can(Limit::Swap),
        oom_kill_disable: host.can(Limit::OomKillDisable),
        cpu_cfs_quota: host.can(Limit::CpuQuota),
        cpu_shares: host.can(Limit::CpuShares),
        cpuset: host.can(Limit::Cpuset),
        pids_limit: host.can(Limit::Pids),
        ipv4_forwarding: forwarding,
        warnings: warnings(ground, forwarding),
    })
}

fn count(containers: &[Arc<ContainerView>]) -> ContainerCounts {
    let mut counts = ContainerCounts { total: containers.len(), ..ContainerCounts::default() };
    for view in containers {
        match view.state {
            State::Running { .. } => counts.running += 1,
            State::Paused { .. } => counts.paused += 1,
            _ => counts.stopped += 1,
        }
    }
    counts
}

fn warnings(ground: &Ground, forwarding: bool) -> Vec<String> {
    let host = &ground.host;
    let mut warnings = Vec::new();
    let device = |limit: Limit| host.cgroup_v2 || host.can(limit);
    for (there, text) in [
        (host.can(Limit::Memory), "WARNING: No memory limit support"),
        (host.can(Limit::Swap), "WARNING: No swap limit support"),
        (host.cgroup_v2 || host.can(Limit::OomKillDisable), "WARNING: No oom kill disable support"),
        (host.can(Limit::CpuQuota), "WARNING: No cpu cfs quota support"),
        (host.can(Limit::CpuShares), "WARNING: No cpu shares support"),
        (host.can(Limit::Cpuset), "WARNING: No cpuset support"),
        (host.can(Limit::Pids), "WARNING: No pids limit support"),
        (device(Limit::BlkioWeight), "WARNING: No blkio weight support"),
        (device(Limit::BlkioWeightDevice), "WARNING: No blkio weight_device support"),
        (device(Limit::DeviceReadBps), "WARNING: No blkio throttle.read_bps_device support"),
        (device(Limit::DeviceWriteBps), "WARNING: No blkio throttle.write_bps_device support"),
        (device(Limit::DeviceReadIops), "WARNING: No blkio throttle.read_iops_device support"),
        (device(Limit::DeviceWriteIops), "WARNING: No blkio throttle.write_iops_device support"),
        (
            !host.apparmor || !host.apparmor_default.is_empty(),
            "WARNING: No AppArmor confinement: the default profile could not be loaded",
        ),
        (forwarding, "WARNING: IPv4 forwarding is disabled"),
    ] {
        if !there {
            warnings.push(text.to_owned());
        }
    }
    warnings.extend(ground.networks.warnings());
    warnings
}

/// This installation's id: made once, kept with its data.
fn identity(data_root: &Path) -> Result<String> {
    let path = data_root.join("engine-id");
    if let Ok(text) = std::fs::read_to_string(&path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let fresh = std::fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(Error::file("reading", "/proc"))?;
    std::fs::write(&path, &fresh).map_err(Error::file("writing", &path))?;
    Ok(fresh.trim().to_owned())
}

fn driver_status(data_root: &Path, storage: &Storage) -> Vec<(String, String)> {
    // Magic numbers of statfs(2).
    let name = match rustix::fs::statfs(data_root).map(|s| i128::from(s.f_type) & 0xffff_ffff) {
        Ok(0xef53) => "extfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x794c_7630) => "overlayfs",
        Ok(0x2fc1_2fc1) => "zfs",
        _ => "unknown",
    };
    let form = match storage.driver {
        Driver::Overlay2 => "directories",
        Driver::Erofs => "file-system images",
    };
    [
        ("Layers", &*format!("{form} ({})", storage.reason)),
        ("Backing Filesystem", name),
        ("Supports d_type", "true"),
        ("Using metacopy", "false"),
        ("Native Overlay Diff", "true"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
