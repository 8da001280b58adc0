//! Mounts: `-v`, `--mount`, `--tmpfs`, `--volumes-from`.

use berth_api::host_config::Mount;
use berth_api::{ContainerConfig, HostConfig};

use super::Line;
use super::host::quoted;

pub(super) fn spell(line: &mut Line, of: &ContainerConfig, on: &HostConfig, image: &ContainerConfig) {
    line.each("--volume", on.binds.iter().flatten());
    for path in of.volumes.iter().flatten().map(|(path, _)| path) {
        if !image.volumes.as_ref().is_some_and(|volumes| volumes.contains_key(path)) {
            line.pair("--volume", path);
        }
    }
    for (path, options) in &on.tmpfs {
        match options.as_str() {
            "" => line.pair("--tmpfs", path),
            options => line.pair("--tmpfs", format!("{path}:{options}")),
        }
    }
    on.mounts.iter().for_each(|entry| mount(line, entry));
    line.each("--volumes-from", on.volumes_from.iter().flatten());
    line.pair("--volume-driver", &on.volume_driver);
}

fn mount(line: &mut Line, mount: &Mount) {
    let mut fields = vec![quoted("type", &mount.kind)];
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            fields.push(quoted(name, value));
        }
    };
    field("source", &mount.source);
    field("target", &mount.target);
    field("readonly", if mount.read_only { "true" } else { "" });
    field("consistency", &mount.consistency);
    if let Some(bind) = &mount.bind_options {
        field("bind-propagation", &bind.propagation);
        field("bind-recursive", if bind.non_recursive { "disabled" } else { "" });
        field("bind-recursive", if bind.read_only_non_recursive { "writable" } else { "" });
        field("bind-recursive", if bind.read_only_force_recursive { "readonly" } else { "" });
        field("bind-create-src", if bind.create_mountpoint { "true" } else { "" });
    }
    if let Some(volume) = &mount.volume_options {
        field("volume-nocopy", if volume.no_copy { "true" } else { "" });
        field("volume-subpath", &volume.subpath);
        volume.labels.iter().for_each(|(name, value)| field("volume-label", &format!("{name}={value}")));
        if let Some(driver) = &volume.driver_config {
            field("volume-driver", &driver.name);
            driver.options.iter().for_each(|(name, value)| field("volume-opt", &format!("{name}={value}")));
        }
    }
    if let Some(image) = &mount.image_options {
        field("image-subpath", &image.subpath);
    }
    let mut unsaid = None;
    if let Some(tmpfs) = &mount.tmpfs_options {
        field("tmpfs-size", &if tmpfs.size_bytes == 0 { String::new() } else { tmpfs.size_bytes.to_string() });
        field("tmpfs-mode", &if tmpfs.mode == 0 { String::new() } else { format!("{:o}", tmpfs.mode) });
        if !tmpfs.options.is_empty() {
            unsaid = Some(format!("the options of the tmpfs at {}", mount.target));
        }
    }
    line.pair("--mount", fields.join(","));
    line.unsaid.extend(unsaid);
}
