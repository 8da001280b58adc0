//! What a container may use, as asked for.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Limits; zero or `None` means the kernel's own default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceSpec {
    /// Bytes.
    pub memory: i64,
    /// Bytes; -1 unlimited; 0: twice `memory`.
    pub memory_swap: i64,
    /// Bytes.
    pub memory_reservation: i64,
    /// 0 to 100.
    pub memory_swappiness: Option<i64>,
    /// Bytes of the kernel's own for it. Linux has given this limit up: it is taken and has no effect.
    pub kernel_memory: i64,
    /// Bytes of TCP buffers (cgroup v1 only).
    pub kernel_memory_tcp: i64,
    /// Do not kill when out of memory (cgroup v1 only).
    pub oom_kill_disable: Option<bool>,
    /// -1000 to 1000.
    pub oom_score_adj: i64,
    /// Relative weight, default 1024.
    pub cpu_shares: i64,
    /// Billionths of a CPU (`--cpus`).
    pub nano_cpus: i64,
    /// Microseconds.
    pub cpu_period: i64,
    /// Microseconds.
    pub cpu_quota: i64,
    /// Microseconds.
    pub cpu_realtime_period: i64,
    /// Microseconds.
    pub cpu_realtime_runtime: i64,
    /// List of CPUs, kernel syntax.
    pub cpuset_cpus: String,
    /// List of memory nodes, kernel syntax.
    pub cpuset_mems: String,
    /// `None` or 0 or -1: unlimited.
    pub pids_limit: Option<i64>,
    /// Relative weight of block I/O, 10 to 1000.
    pub blkio_weight: u16,
    /// The same by device.
    pub blkio_weight_device: Vec<DeviceValue>,
    /// Bytes read a second.
    pub device_read_bps: Vec<DeviceValue>,
    /// Bytes written a second.
    pub device_write_bps: Vec<DeviceValue>,
    /// Reads a second.
    pub device_read_iops: Vec<DeviceValue>,
    /// Writes a second.
    pub device_write_iops: Vec<DeviceValue>,
    /// rlimits.
    pub ulimits: Vec<UlimitSpec>,
    /// Bytes of `/dev/shm`; 0: 64 MiB.
    pub shm_size: i64,
    /// Host devices (`--device`).
    pub devices: Vec<DeviceSpec>,
    /// Rules of the device cgroup (`--device-cgroup-rule`).
    pub device_rules: Vec<DeviceRule>,
    /// Devices by driver and capability (`--gpus`, `--device vendor/class=name`).
    pub device_requests: Vec<DeviceRequest>,
    /// Parent of the container's cgroup; empty: `/berth`.
    pub cgroup_parent: String,
}

/// One `--ulimit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UlimitSpec {
    /// `nofile`, `nproc`, … without `RLIMIT_`.
    pub name: String,
    /// -1: unlimited.
    pub soft: i64,
    /// -1: unlimited.
    pub hard: i64,
}

/// One `--device`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSpec {
    /// Path on the host.
    pub host: String,
    /// Path in the container.
    pub container: String,
    /// Some of `rwm`.
    pub permissions: String,
}

/// A block device of the host by its path, and a number for it: a weight, or a rate a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceValue {
    /// Path on the host.
    pub path: String,
    /// The weight or rate.
    pub value: u64,
}

/// One `--device-cgroup-rule`: `c 10:* rwm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// `a`, `b` or `c`.
    pub kind: char,
    /// `None`: any.
    pub major: Option<u32>,
    /// `None`: any.
    pub minor: Option<u32>,
    /// Some of `rwm`.
    pub access: String,
}

impl DeviceRule {
    /// Parses the kernel's spelling; `None`: it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
        let (major, minor) = numbers.split_once(':')?;
        let number = |text: &str| match text {
            "*" => Some(None),
            digits if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok().map(Some),
            _ => None,
        };
        let good = words.next().is_none()
            && matches!(kind, "a" | "b" | "c")
            && (1..=3).contains(&access.len())
            && access.bytes().all(|b| b"rwm".contains(&b));
        let kind = kind.chars().next().filter(|_| good)?;
        Some(Self { kind, major: number(major)?, minor: number(minor)?, access: access.to_owned() })
    }
}

impl fmt::Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |n| n.to_string());
        write!(f, "{} {}:{} {}", self.kind, number(self.major), number(self.minor), self.access)
    }
}

/// One `--gpus`, or what else asks for devices by what they can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// `cdi`, `nvidia`, …; empty: whichever can.
    pub driver: String,
    /// How many; -1: all.
    pub count: i64,
    /// Which.
    pub ids: Vec<String>,
    /// Alternatives of capability sets.
    pub capabilities: Vec<Vec<String>>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rules() {
        for text in ["c 10:* rwm", "a *:* r", "b 8:0 wm"] {
            assert_eq!(DeviceRule::parse(text).map(|rule| rule.to_string()).as_deref(), Some(text));
        }
        for text in ["", "c", "c 1:2", "d 1:2 r", "c 1 r", "c 1:2 x", "c 1:2 rwmr", "c 1:2 r ", "c +1:2 r", "c 1:-2 r"]
        {
            assert_eq!(DeviceRule::parse(text), None, "{text}");
        }
    }

    proptest! {
        /// What is shown is what is read, and nothing makes the parser panic.
        #[test]
        fn shown_and_read(kind in "[abc]", major in proptest::option::of(0u32..9999), minor in proptest::option::of(0u32..9999), access in "[rwm]{1,3}", noise in ".{0,20}") {
            let rule = DeviceRule { kind: kind.chars().next().unwrap_or('a'), major, minor, access };
            prop_assert_eq!(DeviceRule::parse(&rule.to_string()), Some(rule));
            let _ = DeviceRule::parse(&noise);
        }
    }
}
