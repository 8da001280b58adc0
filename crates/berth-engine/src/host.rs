//! What the host can do, read once when the engine opens.

pub(crate) mod cdi;
mod devices;
mod limits;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use berth_cgroup::{Hierarchy, Mode};
use berth_seccomp::KernelVersion;

use crate::plan::capabilities;
use crate::{Error, Result};

pub(crate) use devices::{block_limits, devices};
pub use limits::Limit;

/// Facts about the host that plans depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Changes with each boot of the kernel.
    pub boot_id: String,
    /// `uname -n`.
    pub hostname: String,
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub machine: String,
    /// `PRETTY_NAME` of os-release.
    pub operating_system: String,
    /// `VERSION_ID` of os-release.
    pub os_version: String,
    /// How many CPUs there are.
    pub cpus: usize,
    /// Which, as the kernel writes lists.
    pub cpu_list: String,
    /// Which memory nodes, as the kernel writes lists.
    pub memory_nodes: String,
    /// Bytes of memory.
    pub memory: u64,
    /// The capabilities of this host's root: what it can grant.
    pub capabilities: BTreeSet<String>,
    /// Only cgroup v2 is there.
    pub cgroup_v2: bool,
    /// What can be limited.
    pub limits: BTreeSet<Limit>,
    /// A container can have a cgroup namespace of its own.
    pub cgroup_namespaces: bool,
    /// Seccomp filters work.
    pub seccomp: bool,
    /// AppArmor is on.
    pub apparmor: bool,
    /// The profile of containers that name none; empty: it is not loaded.
    pub apparmor_default: String,
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map(|t| t.trim().to_owned()).unwrap_or_default()
}

impl HostFacts {
    /// Reads them; a few small files.
    ///
    /// # Errors
    /// Without a boot id there is no telling what survived a reboot.
    pub fn read(hierarchy: &Hierarchy) -> Result<Self> {
        let boot = "/proc/sys/kernel/random/boot_id";
        let boot_id = fs::read_to_string(boot).map_err(Error::file("reading", boot))?.trim().to_owned();
        let release = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
        let release = release.unwrap_or_default();
        let cgroup_v2 = hierarchy.mode() == Mode::V2;
        Ok(Self {
            boot_id,
            hostname: text("/proc/sys/kernel/hostname"),
            kernel: text("/proc/sys/kernel/osrelease"),
            machine: std::env::consts::ARCH.to_owned(),
            operating_system: os_release(&release, "PRETTY_NAME").unwrap_or_else(|| "Linux".into()),
            os_version: os_release(&release, "VERSION_ID").unwrap_or_default(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_list: text("/sys/devices/system/cpu/online"),
            memory_nodes: text("/sys/devices/system/node/online"),
            memory: memory_total(&text("/proc/meminfo")),
            capabilities: capabilities::from_mask(bounding_mask(&text("/proc/self/status"))),
            cgroup_v2,
            limits: limits::supported(hierarchy),
            cgroup_namespaces: Path::new("/proc/self/ns/cgroup").exists(),
            seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
            apparmor: text("/sys/module/apparmor/parameters/enabled") == "Y",
            apparmor_default: String::new(),
        })
    }

    /// Whether a limit can be set.
    #[must_use]
    pub fn can(&self, limit: Limit) -> bool {
        self.limits.contains(&limit)
    }

    /// The kernel's version as seccomp profiles compare it.
    #[must_use]
    pub fn kernel_version(&self) -> KernelVersion {
        let mut numbers = self.kernel.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
        KernelVersion(numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

fn os_release(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

fn memory_total(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn bounding_mask(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
