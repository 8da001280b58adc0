//! What the host can do, read once when the engine opens.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use berth_cgroup::{Hierarchy, Mode};
use berth_seccomp::KernelVersion;

use crate::plan::capabilities;
use crate::plan::devices::HostDevice;
use crate::spec::DeviceSpec;
use crate::{Error, Result};

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
    /// The controllers there are.
    pub controllers: Vec<String>,
    /// Swap can be limited.
    pub swap_limit: bool,
    /// Seccomp filters work.
    pub seccomp: bool,
    /// AppArmor is on.
    pub apparmor: bool,
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
            controllers: hierarchy.controllers().to_vec(),
            swap_limit: swap_limit(hierarchy),
            seccomp: Path::new("/proc/sys/kernel/seccomp/actions_avail").exists(),
            apparmor: text("/sys/module/apparmor/parameters/enabled") == "Y",
        })
    }

    /// Whether a controller is there, by its v1 or v2 name.
    #[must_use]
    pub fn has_controller(&self, name: &str) -> bool {
        self.controllers.iter().any(|c| c == name)
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

fn swap_limit(hierarchy: &Hierarchy) -> bool {
    if hierarchy.mode() == Mode::V2 {
        // The root cgroup has no such file: whether swap is accounted shows only below it.
        return hierarchy.has("memory");
    }
    let memory = hierarchy.mounts().iter().find(|m| m.controllers.iter().any(|c| c == "memory"));
    memory.is_some_and(|m| m.mountpoint.join("memory.memsw.limit_in_bytes").exists())
}

/// The devices a container is to have: those asked for, or all of the host's where privileged.
pub(crate) fn devices(asked: &[DeviceSpec], privileged: bool) -> Result<Vec<HostDevice>> {
    let mut found = Vec::new();
    if privileged {
        walk(Path::new("/dev"), Path::new("/dev"), "rwm", &mut found);
    }
    for device in asked {
        let failed = |source| {
            Error::Invalid(format!(
                "error gathering device information while adding custom device \"{}\": {}",
                device.host,
                reason(&source)
            ))
        };
        let metadata = fs::metadata(&device.host).map_err(failed)?;
        let target = if device.container.is_empty() { &device.host } else { &device.container };
        let permissions = if device.permissions.is_empty() { "rwm" } else { &device.permissions };
        if metadata.is_dir() {
            walk(Path::new(&device.host), Path::new(target), permissions, &mut found);
        } else if let Some(node) = node(&metadata, Path::new(target), permissions) {
            found.push(node);
        } else {
            return Err(Error::Invalid(format!(
                "error gathering device information while adding custom device \"{}\": not a device node",
                device.host
            )));
        }
    }
    Ok(found)
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        _ => error.to_string(),
    }
}

/// What a container gets of its own, and must not get from the host.
const NOT_THE_HOST_S: [&str; 6] = ["pts", "shm", "fd", "mqueue", "console", "ptmx"];

fn walk(directory: &Path, target: &Path, permissions: &str, found: &mut Vec<HostDevice>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if directory == Path::new("/dev") && NOT_THE_HOST_S.iter().any(|n| name == **n) {
            continue;
        }
        // Nodes vanish while we look (a device unplugged): those are simply not there.
        let Ok(metadata) = entry.metadata() else { continue };
        let target = target.join(&name);
        if metadata.is_dir() {
            walk(&entry.path(), &target, permissions, found);
        } else if let Some(node) = node(&metadata, &target, permissions) {
            found.push(node);
        }
    }
}

fn node(metadata: &fs::Metadata, target: &Path, permissions: &str) -> Option<HostDevice> {
    let kind = metadata.file_type();
    if !kind.is_block_device() && !kind.is_char_device() {
        return None;
    }
    Some(HostDevice {
        path: target.to_string_lossy().into_owned(),
        block: kind.is_block_device(),
        major: i64::from(rustix::fs::major(metadata.rdev())),
        minor: i64::from(rustix::fs::minor(metadata.rdev())),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        permissions: permissions.to_owned(),
    })
}
