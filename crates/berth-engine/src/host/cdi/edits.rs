//! What a device's file says, done to a runtime specification.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use oci_spec::runtime::{
    HookBuilder, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroupBuilder, LinuxDeviceType, MountBuilder, Spec,
};

use super::spec::{Device, Edits, Hook, Mount, Node};
use crate::plan::unbuildable;
use crate::{Error, Result};

/// What a file says of all its devices is done once.
pub(super) fn apply(devices: &[&Device], oci: &mut Spec) -> Result<()> {
    let mut files = Vec::new();
    for device in devices {
        if !files.contains(&&device.file) {
            files.push(&device.file);
            apply_one(&device.common, oci)?;
        }
        apply_one(&device.own, oci)?;
    }
    // What lies below another mount comes after it.
    if let Some(mounts) = oci.mounts_mut() {
        mounts.sort_by_key(|mount| mount.destination().components().count());
    }
    Ok(())
}

fn apply_one(edits: &Edits, oci: &mut Spec) -> Result<()> {
    environment(&edits.env, oci);
    for node in &edits.device_nodes {
        device(node, oci)?;
    }
    for mount in &edits.mounts {
        let built = self::mount(mount)?;
        oci.mounts_mut().get_or_insert_default().push(built);
    }
    for hook in &edits.hooks {
        self::hook(hook, oci)?;
    }
    if let Some(process) = oci.process_mut().as_mut().filter(|_| !edits.additional_gids.is_empty()) {
        let mut user = process.user().clone();
        let mut groups = user.additional_gids().clone().unwrap_or_default();
        groups.extend(edits.additional_gids.iter().filter(|gid| **gid != 0));
        user.set_additional_gids(Some(groups));
        process.set_user(user);
    }
    Ok(())
}

fn environment(entries: &[String], oci: &mut Spec) {
    let Some(process) = oci.process_mut().as_mut().filter(|_| !entries.is_empty()) else { return };
    let mut all = process.env().clone().unwrap_or_default();
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    for entry in entries {
        all.retain(|other| name(other) != name(entry));
        all.push(entry.clone());
    }
    process.set_env(Some(all));
}

fn device(node: &Node, oci: &mut Spec) -> Result<()> {
    let built = built(node, oci)?;
    let access = if node.permissions.is_empty() { "rwm" } else { &node.permissions };
    let Some(linux) = oci.linux_mut() else { return Ok(()) };
    if built.typ() != LinuxDeviceType::P {
        let rule = LinuxDeviceCgroupBuilder::default()
            .allow(true)
            .typ(built.typ())
            .major(built.major())
            .minor(built.minor())
            .access(access)
            .build()
            .map_err(unbuildable)?;
        linux.resources_mut().get_or_insert_default().devices_mut().get_or_insert_default().push(rule);
    }
    let devices = linux.devices_mut().get_or_insert_default();
    devices.retain(|other| other.path() != built.path());
    devices.push(built);
    Ok(())
}

/// What the file does not say, the host's own node does.
fn built(node: &Node, oci: &Spec) -> Result<LinuxDevice> {
    let source = if node.host_path.is_empty() { &node.path } else { &node.host_path };
    let mut builder = LinuxDeviceBuilder::default().path(&node.path);
    let (mut kind, mut number, mut mode) = (node.kind.clone(), (node.major, node.minor), node.file_mode);
    if kind.is_empty() || (number == (0, 0) && kind != "p") {
        let refused = |why: String| Error::Invalid(format!("CDI device injection failed: {source}: {why}"));
        let found = std::fs::metadata(Path::new(source)).map_err(|error| refused(error.to_string()))?;
        kind = match found.file_type() {
            kind if kind.is_block_device() => "b".to_owned(),
            kind if kind.is_char_device() => "c".to_owned(),
            kind if kind.is_fifo() => "p".to_owned(),
            _ => return Err(refused("not a device node".to_owned())),
        };
        let rdev = found.rdev();
        number = (i64::from(rustix::fs::major(rdev)), i64::from(rustix::fs::minor(rdev)));
        mode = mode.or(Some(found.mode() & 0o7777));
    }
    let kind = match kind.as_str() {
        "b" => LinuxDeviceType::B,
        "c" | "u" => LinuxDeviceType::C,
        "p" => LinuxDeviceType::P,
        other => {
            return Err(Error::Invalid(format!("CDI device injection failed: {}: no type {other:?}", node.path)));
        }
    };
    // A user that is not root owns what it was given.
    let user = oci.process().as_ref().map(|process| (process.user().uid(), process.user().gid())).unwrap_or_default();
    builder = builder.typ(kind).major(number.0).minor(number.1).file_mode(mode.unwrap_or(0o666) & 0o7777);
    builder.uid(node.uid.unwrap_or(user.0)).gid(node.gid.unwrap_or(user.1)).build().map_err(unbuildable)
}

fn mount(mount: &Mount) -> Result<oci_spec::runtime::Mount> {
    let kind = if mount.kind.is_empty() { "bind" } else { &mount.kind };
    let mut options = mount.options.clone();
    if kind == "bind" && !options.iter().any(|option| option == "bind" || option == "rbind") {
        options.push("rbind".to_owned());
    }
    MountBuilder::default()
        .destination(&mount.container_path)
        .source(&mount.host_path)
        .typ(kind)
        .options(options)
        .build()
        .map_err(unbuildable)
}

fn hook(hook: &Hook, oci: &mut Spec) -> Result<()> {
    let mut builder = HookBuilder::default().path(&hook.path);
    if !hook.args.is_empty() {
        builder = builder.args(hook.args.clone());
    }
    if !hook.env.is_empty() {
        builder = builder.env(hook.env.clone());
    }
    if let Some(timeout) = hook.timeout {
        builder = builder.timeout(timeout);
    }
    let built = builder.build().map_err(unbuildable)?;
    let mut hooks = oci.hooks().clone().unwrap_or_default();
    let list = match hook.hook_name.as_str() {
        "prestart" => hooks.prestart_mut(),
        "createRuntime" => hooks.create_runtime_mut(),
        "createContainer" => hooks.create_container_mut(),
        "startContainer" => hooks.start_container_mut(),
        "poststart" => hooks.poststart_mut(),
        "poststop" => hooks.poststop_mut(),
        other => return Err(Error::Invalid(format!("CDI device injection failed: there is no hook {other:?}"))),
    };
    list.get_or_insert_default().push(built);
    oci.set_hooks(Some(hooks));
    Ok(())
}
