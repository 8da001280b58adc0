//! Devices: which nodes a container has, and what its device cgroup allows.

use oci_spec::runtime::{
    LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType,
};

use super::unbuildable;
use crate::Result;
use crate::spec::ContainerSpec;

/// A device node of the host, wanted in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDevice {
    /// Its path in the container.
    pub path: String,
    /// A block device rather than a character device.
    pub block: bool,
    /// Major number.
    pub major: i64,
    /// Minor number.
    pub minor: i64,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Some of `rwm`.
    pub permissions: String,
}

impl HostDevice {
    fn kind(&self) -> LinuxDeviceType {
        if self.block { LinuxDeviceType::B } else { LinuxDeviceType::C }
    }
}

/// The nodes to make besides those every container has.
pub(super) fn nodes(devices: &[HostDevice]) -> Result<Vec<LinuxDevice>> {
    let one = |device: &HostDevice| {
        LinuxDeviceBuilder::default()
            .path(&device.path)
            .typ(device.kind())
            .major(device.major)
            .minor(device.minor)
            .file_mode(device.mode)
            .uid(device.uid)
            .gid(device.gid)
            .build()
            .map_err(unbuildable)
    };
    devices.iter().map(one).collect()
}

/// Docker's allow list: making any node, and using those every container has. `None`: any number.
const ALLOWED: [(LinuxDeviceType, Option<i64>, Option<i64>, &str); 10] = [
    (LinuxDeviceType::C, None, None, "m"),
    (LinuxDeviceType::B, None, None, "m"),
    (LinuxDeviceType::C, Some(1), Some(3), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(5), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(7), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(8), "rwm"),
    (LinuxDeviceType::C, Some(1), Some(9), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(0), "rwm"),
    (LinuxDeviceType::C, Some(5), Some(2), "rwm"),
    (LinuxDeviceType::C, Some(136), None, "rwm"),
];

/// The device cgroup's rules, in order.
pub(super) fn rules(spec: &ContainerSpec, devices: &[HostDevice]) -> Result<Vec<LinuxDeviceCgroup>> {
    if spec.isolation.privileged {
        return Ok(vec![rule(true, LinuxDeviceType::A, None, None, "rwm")?]);
    }
    let mut rules = vec![rule(false, LinuxDeviceType::A, None, None, "rwm")?];
    for (kind, major, minor, access) in ALLOWED {
        rules.push(rule(true, kind, major, minor, access)?);
    }
    for device in devices {
        rules.push(rule(true, device.kind(), Some(device.major), Some(device.minor), &device.permissions)?);
    }
    for asked in &spec.resources.device_rules {
        let kind = match asked.kind {
            'b' => LinuxDeviceType::B,
            'c' => LinuxDeviceType::C,
            _ => LinuxDeviceType::A,
        };
        rules.push(rule(true, kind, asked.major.map(i64::from), asked.minor.map(i64::from), &asked.access)?);
    }
    Ok(rules)
}

fn rule(
    allow: bool,
    kind: LinuxDeviceType,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> Result<LinuxDeviceCgroup> {
    let mut builder = LinuxDeviceCgroupBuilder::default().allow(allow).typ(kind).access(access);
    if let Some(major) = major {
        builder = builder.major(major);
    }
    if let Some(minor) = minor {
        builder = builder.minor(minor);
    }
    builder.build().map_err(unbuildable)
}
