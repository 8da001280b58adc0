//! `--mount type=bind,src=…,dst=…`, `-v source:target[:options]` and `--tmpfs path[:options]`.

use berth_api::host_config::{BindOptions, ImageOptions, Mount, MountDriver, TmpfsOptions, VolumeOptions};

use super::{absolute, csv, pair};
use crate::flag::parse_bool;
use crate::unit::size;

/// Reads one `--mount`.
pub(crate) fn parse(text: &str) -> Result<Mount, String> {
    let mut mount = Mount { kind: "volume".to_owned(), ..Mount::default() };
    for field in csv(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.trim().to_ascii_lowercase(), value.to_owned()),
            None => (field.trim().to_ascii_lowercase(), String::new()),
        };
        let bare = !field.contains('=');
        if bare
            && !matches!(key.as_str(), "readonly" | "ro" | "volume-nocopy" | "bind-nonrecursive" | "bind-create-src")
        {
            return Err(format!("invalid field '{field}' must be a key=value pair"));
        }
        let value = if bare { "true".to_owned() } else { value };
        set(&mut mount, &key, value, &field)?;
    }
    check(&mount)?;
    if mount.kind == "bind" {
        mount.source = absolute(&mount.source);
    }
    Ok(mount)
}

fn set(mount: &mut Mount, key: &str, value: String, field: &str) -> Result<(), String> {
    let truth = |value: &str| parse_bool(value).ok_or_else(|| format!("invalid value for {key}: {value}"));
    match key {
        "type" => mount.kind = value.to_ascii_lowercase(),
        "source" | "src" => mount.source = value,
        "target" | "dst" | "destination" => mount.target = value,
        "readonly" | "ro" => mount.read_only = truth(&value)?,
        "consistency" => mount.consistency = value.to_ascii_lowercase(),
        "bind-propagation" => bind(mount).propagation = value.to_ascii_lowercase(),
        "bind-nonrecursive" => bind(mount).non_recursive = truth(&value)?,
        "bind-create-src" => bind(mount).create_mountpoint = truth(&value)?,
        "bind-recursive" => match value.as_str() {
            "enabled" => {}
            "disabled" => bind(mount).non_recursive = true,
            "writable" => bind(mount).read_only_non_recursive = true,
            "readonly" => bind(mount).read_only_force_recursive = true,
            other => {
                return Err(format!(
                    "invalid value for {key}: {other} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                ));
            }
        },
        "volume-subpath" => volume(mount).subpath = value,
        "volume-nocopy" => {
            volume(mount).no_copy =
                parse_bool(&value).ok_or_else(|| format!("invalid value for volume-nocopy: {value}"))?;
        }
        "volume-label" => {
            let (name, value) = pair(&value);
            volume(mount).labels.insert(name, value);
        }
        "volume-driver" => driver(mount).name = value,
        "volume-opt" => {
            let (name, value) = pair(&value);
            driver(mount).options.insert(name, value);
        }
        "image-subpath" => mount.image_options.get_or_insert_with(ImageOptions::default).subpath = value,
        "tmpfs-size" => {
            tmpfs(mount).size_bytes = size::parse(&value).map_err(|_| format!("invalid value for {key}: {value}"))?;
        }
        "tmpfs-mode" => {
            tmpfs(mount).mode =
                u32::from_str_radix(&value, 8).map_err(|_| format!("invalid value for {key}: {value}"))?;
        }
        _ => return Err(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

fn bind(mount: &mut Mount) -> &mut BindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut VolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn driver(mount: &mut Mount) -> &mut MountDriver {
    volume(mount).driver_config.get_or_insert_default()
}

fn tmpfs(mount: &mut Mount) -> &mut TmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

fn check(mount: &Mount) -> Result<(), String> {
    if mount.kind.is_empty() {
        return Err("type is required".to_owned());
    }
    if mount.target.is_empty() {
        return Err("target is required".to_owned());
    }
    let foreign = [
        ("bind", mount.bind_options.is_some()),
        ("volume", mount.volume_options.is_some()),
        ("image", mount.image_options.is_some()),
        ("tmpfs", mount.tmpfs_options.is_some()),
    ];
    if let Some(options) = &mount.bind_options {
        let needs = |value: &str, what: &str| {
            Err(format!("option 'bind-recursive={value}' requires '{what}' to be specified in conjunction"))
        };
        match (options.read_only_non_recursive, options.read_only_force_recursive) {
            (true, _) if !mount.read_only => return needs("writable", "readonly"),
            (_, true) if !mount.read_only => return needs("readonly", "readonly"),
            (_, true) if options.propagation != "rprivate" => return needs("readonly", "bind-propagation=rprivate"),
            _ => {}
        }
    }
    match foreign.iter().find(|(kind, given)| *given && mount.kind != *kind) {
        Some((kind, _)) => Err(format!("cannot mix '{kind}-*' options with mount type '{}'", mount.kind)),
        None => Ok(()),
    }
}

/// One `-v`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    /// `source:target[:options]`, sent as it is; a relative source is made absolute.
    Bind(String),
    /// A path alone: an anonymous volume.
    Anonymous(String),
}

/// Reads one `-v`.
pub(crate) fn parse_volume(text: &str) -> Result<Volume, String> {
    match text.split_once(':') {
        _ if text.is_empty() => Err("invalid empty volume spec".to_owned()),
        None => Ok(Volume::Anonymous(text.to_owned())),
        Some((source, rest)) => Ok(Volume::Bind(format!("{}:{rest}", absolute(source)))),
    }
}

/// One `--tmpfs`: path and options.
pub(crate) fn parse_tmpfs(text: &str) -> (String, String) {
    let (path, options) = text.split_once(':').unwrap_or((text, ""));
    (path.to_owned(), options.to_owned())
}
