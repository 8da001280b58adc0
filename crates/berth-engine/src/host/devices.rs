//! Devices of the host: those a container is to have, and the numbers of those whose use is limited.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::plan::devices::HostDevice;
use crate::plan::resources::{BlockDevice, BlockLimits};
use crate::spec::{DeviceSpec, DeviceValue, ResourceSpec};
use crate::{Error, Result};

/// The devices a container is to have: those asked for, or all of the host's where privileged.
pub(crate) fn devices(asked: &[DeviceSpec], privileged: bool) -> Result<Vec<HostDevice>> {
    let mut found = Vec::new();
    if privileged {
        walk(Path::new("/dev"), Path::new("/dev"), "rwm", &mut found);
    }
    for device in asked {
        let refused = |why: &str| {
            Error::Invalid(format!(
                "error gathering device information while adding custom device \"{}\": {why}",
                device.host
            ))
        };
        let metadata = fs::metadata(&device.host).map_err(|error| refused(&reason(&error)))?;
        let target = if device.container.is_empty() { &device.host } else { &device.container };
        let permissions = if device.permissions.is_empty() { "rwm" } else { &device.permissions };
        // What is asked for by name is had as asked for, also by a privileged container that has all the others.
        found.retain(|other: &HostDevice| other.path != *target);
        if metadata.is_dir() {
            walk(Path::new(&device.host), Path::new(target), permissions, &mut found);
        } else if let Some(node) = node(&metadata, Path::new(target), permissions) {
            found.push(node);
        } else {
            return Err(refused("not a device node"));
        }
    }
    Ok(found)
}

/// Limits by device, with the devices' numbers in place of their paths.
pub(crate) fn block_limits(asked: &ResourceSpec) -> Result<BlockLimits> {
    let all = |values: &[DeviceValue]| values.iter().map(block_device).collect::<Result<Vec<_>>>();
    Ok(BlockLimits {
        weights: all(&asked.blkio_weight_device)?,
        read_bps: all(&asked.device_read_bps)?,
        write_bps: all(&asked.device_write_bps)?,
        read_iops: all(&asked.device_read_iops)?,
        write_iops: all(&asked.device_write_iops)?,
    })
}

fn block_device(asked: &DeviceValue) -> Result<BlockDevice> {
    let metadata = fs::metadata(&asked.path)
        .map_err(|error| Error::Invalid(format!("stat {}: {}", asked.path, reason(&error))))?;
    let number = metadata.rdev();
    Ok(BlockDevice {
        major: i64::from(rustix::fs::major(number)),
        minor: i64::from(rustix::fs::minor(number)),
        value: asked.value,
    })
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".into(),
        std::io::ErrorKind::NotADirectory => "not a directory".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
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
