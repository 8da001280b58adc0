//! `Binds`, `Mounts`, `Tmpfs`, `VolumesFrom`: spellings of mounts, one list in the domain. The refusals are Docker's.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use berth_api::host_config::{HostConfig, Mount, TmpfsOptions};
use berth_engine::plan::mounts::clean;
use berth_engine::spec::{MountKind, MountSpec, Origin, Reach, VolumeMount, VolumesFrom};

use super::mount_mode::Mode;
use crate::http::error::ApiError;

/// Every mount asked for.
pub(crate) fn all(host: &HostConfig) -> Result<Vec<MountSpec>, ApiError> {
    let binds = host.binds.iter().flatten().map(|text| bind(text, &host.volume_driver));
    let mounts = host.mounts.iter().map(mount);
    let tmpfs = host.tmpfs.iter().map(|(target, options)| tmpfs(target, options));
    let all: Vec<MountSpec> = binds.chain(mounts).chain(tmpfs).collect::<Result<_, _>>()?;
    let mut targets = BTreeSet::new();
    match all.iter().find(|mount| !targets.insert(clean(&mount.target))) {
        Some(mount) => Err(ApiError::invalid(format!("Duplicate mount point: {}", mount.target))),
        None => Ok(all),
    }
}

/// `--volumes-from container[:ro|rw]`.
pub(crate) fn volumes_from(host: &HostConfig) -> Result<Vec<VolumesFrom>, ApiError> {
    let one = |text: &String| {
        let (container, words) = text.split_once(':').unwrap_or((text, ""));
        if container.is_empty() {
            return Err(ApiError::invalid("volumes-from specification cannot be an empty string"));
        }
        match Mode::parse(words) {
            Some(mode) if mode.propagation.is_none() && mode.no_copy.is_none() => {
                Ok(VolumesFrom { text: text.clone(), container: container.to_owned(), readonly: mode.readonly })
            }
            _ => Err(ApiError::invalid(format!("invalid mode: {words}"))),
        }
    };
    host.volumes_from.iter().flatten().map(one).collect()
}

/// `Config.Volumes`: paths that become anonymous volumes.
pub(crate) fn declared<'a>(paths: impl Iterator<Item = &'a String>) -> Result<Vec<String>, ApiError> {
    let checked = |path: &String| {
        check_target(path).map_err(|why| ApiError::invalid(wrong("volume", &why)))?;
        Ok(path.clone())
    };
    paths.map(checked).collect()
}

fn wrong(kind: &str, why: &str) -> String {
    format!("invalid mount config for type \"{kind}\": {why}")
}

/// `source:target[:mode]`, or a target alone, which is an anonymous volume.
fn bind(text: &str, driver: &str) -> Result<MountSpec, ApiError> {
    let invalid = || ApiError::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, words) = match parts.as_slice() {
        // A volume cannot have a mode alone: `/path:ro`.
        [_, mode] if Mode::parse(mode).is_some() => return Err(invalid()),
        [target] => ("", *target, ""),
        [source, target] if !source.is_empty() => (*source, *target, ""),
        [source, target, words] if !source.is_empty() => (*source, *target, *words),
        _ => return Err(invalid()),
    };
    let mode = Mode::parse(words).ok_or_else(|| ApiError::invalid(format!("invalid mode: {words}")))?;
    let kind = if source.starts_with('/') { "bind" } else { "volume" };
    let extra = match kind {
        "bind" => mode.no_copy.map(|_| "VolumeOptions"),
        _ => mode.propagation.as_ref().map(|_| "BindOptions"),
    };
    check_target(target)
        .and_then(|()| extra.map_or(Ok(()), |field| Err(must_not(field))))
        .map_err(|why| ApiError::invalid(format!("invalid volume specification: '{text}': {}", wrong(kind, &why))))?;
    let readonly = mode.readonly;
    let kind = match kind {
        "bind" => MountKind::Bind {
            source: source.to_owned(),
            propagation: mode.propagation.unwrap_or_default(),
            create_source: true,
            non_recursive: mode.non_recursive,
            reach: Reach::Tree,
        },
        _ => MountKind::Volume(VolumeMount {
            name: source.to_owned(),
            anonymous: source.is_empty(),
            no_copy: mode.no_copy.unwrap_or(false),
            driver: driver.to_owned(),
            ..VolumeMount::default()
        }),
    };
    Ok(MountSpec { target: target.to_owned(), readonly, bind_text: Some(text.to_owned()), kind, origin: Origin::Asked })
}

fn must_not(field: &str) -> String {
    format!("field {field} must not be specified")
}

/// `--mount`.
fn mount(mount: &Mount) -> Result<MountSpec, ApiError> {
    let invalid = |why: String| ApiError::invalid(wrong(&mount.kind, &why));
    if mount.target.is_empty() {
        return Err(invalid("field Target must not be empty".to_owned()));
    }
    check_target(&mount.target).map_err(invalid)?;
    let read = match mount.kind.as_str() {
        "bind" => bind_mount,
        "volume" => volume_mount,
        "tmpfs" => tmpfs_mount,
        "image" => image_mount,
        _ => return Err(invalid("mount type unknown".to_owned())),
    };
    let foreign = [
        ("BindOptions", "bind", mount.bind_options.is_some()),
        ("VolumeOptions", "volume", mount.volume_options.is_some()),
        ("ImageOptions", "image", mount.image_options.is_some()),
        ("TmpfsOptions", "tmpfs", mount.tmpfs_options.is_some()),
    ];
    if let Some((field, ..)) = foreign.iter().find(|(_, kind, given)| *given && *kind != mount.kind) {
        return Err(invalid(must_not(field)));
    }
    let kind = read(mount).map_err(invalid)?;
    let readonly = mount.read_only || matches!(kind, MountKind::Image { .. });
    Ok(MountSpec { target: mount.target.clone(), kind, readonly, bind_text: None, origin: Origin::Asked })
}

fn bind_mount(mount: &Mount) -> Result<MountKind, String> {
    let options = mount.bind_options.clone().unwrap_or_default();
    if mount.source.is_empty() {
        return Err("field Source must not be empty".to_owned());
    }
    if !mount.source.starts_with('/') {
        return Err(format!("invalid mount path: '{}' mount path must be absolute", mount.source));
    }
    let known = ["", "rprivate", "private", "rshared", "shared", "rslave", "slave"];
    if !known.contains(&options.propagation.as_str()) {
        return Err(format!("invalid propagation mode: {}", options.propagation));
    }
    let reach = match (options.read_only_non_recursive, options.read_only_force_recursive) {
        (true, true) => return Err("ReadOnlyNonRecursive and ReadOnlyForceRecursive exclude each other".to_owned()),
        (true, false) => Reach::Top,
        (false, true) if !mount.read_only || options.non_recursive => {
            return Err("ReadOnlyForceRecursive needs a recursive mount that is read-only".to_owned());
        }
        (false, true) => Reach::Required,
        (false, false) => Reach::Tree,
    };
    if !options.create_mountpoint && !Path::new(&mount.source).exists() {
        return Err(format!("bind source path does not exist: {}", mount.source));
    }
    Ok(MountKind::Bind {
        source: mount.source.clone(),
        propagation: options.propagation,
        create_source: options.create_mountpoint,
        non_recursive: options.non_recursive,
        reach,
    })
}

fn volume_mount(mount: &Mount) -> Result<MountKind, String> {
    let options = mount.volume_options.clone().unwrap_or_default();
    let driver = options.driver_config.unwrap_or_default();
    if mount.source.is_empty() && mount.read_only {
        return Err("must not set ReadOnly mode when using anonymous volumes".to_owned());
    }
    if mount.source.is_empty() && !options.subpath.is_empty() {
        return Err("must not set Subpath when using anonymous volumes".to_owned());
    }
    check_subpath(&options.subpath, "volume")?;
    Ok(MountKind::Volume(VolumeMount {
        name: mount.source.clone(),
        anonymous: mount.source.is_empty(),
        no_copy: options.no_copy,
        subpath: options.subpath,
        labels: options.labels,
        driver: driver.name,
        options: driver.options,
    }))
}

fn image_mount(mount: &Mount) -> Result<MountKind, String> {
    let subpath = mount.image_options.clone().unwrap_or_default().subpath;
    if mount.source.is_empty() {
        return Err("field Source must not be empty".to_owned());
    }
    check_subpath(&subpath, "image")?;
    Ok(MountKind::Image { reference: mount.source.clone(), id: String::new(), subpath })
}

/// It stays within what it is a part of, whatever links there are: those are for the mount to see to.
fn check_subpath(subpath: &str, of: &str) -> Result<(), String> {
    let inside = |component: Component<'_>| matches!(component, Component::Normal(_) | Component::CurDir);
    match Path::new(subpath).components().all(inside) && !subpath.contains('\0') {
        true => Ok(()),
        false => Err(format!("subpath must be a relative path within the {of}")),
    }
}

/// What `TmpfsOptions.Options` may say; size and mode have fields of their own.
const TMPFS_FLAGS: [&str; 8] = ["exec", "noexec", "suid", "nosuid", "dev", "nodev", "noatime", "relatime"];
const TMPFS_VALUES: [&str; 6] = ["nr_blocks", "nr_inodes", "huge", "mpol", "uid", "gid"];

fn tmpfs_mount(mount: &Mount) -> Result<MountKind, String> {
    if !mount.source.is_empty() {
        return Err(must_not("Source"));
    }
    let TmpfsOptions { size_bytes, mode, options } = mount.tmpfs_options.clone().unwrap_or_default();
    if size_bytes < 0 {
        return Err("field TmpfsOptions.SizeBytes must not be negative".to_owned());
    }
    let words: Vec<String> = options.iter().map(|words| tmpfs_option(words)).collect::<Result<_, _>>()?;
    Ok(MountKind::Tmpfs { size: size_bytes, mode, options: words.join(",") })
}

fn tmpfs_option(words: &[String]) -> Result<String, String> {
    let plain = |word: &str| !word.contains([',', '=', '\0']);
    match words {
        [flag] if TMPFS_FLAGS.contains(&flag.as_str()) => Ok(flag.clone()),
        [key, value] if TMPFS_VALUES.contains(&key.as_str()) && plain(value) => Ok(format!("{key}={value}")),
        [_] | [_, _] => Err(format!("invalid tmpfs option: {}", words.join("="))),
        _ => Err("invalid option array length".to_owned()),
    }
}

/// `--tmpfs`.
fn tmpfs(target: &str, options: &str) -> Result<MountSpec, ApiError> {
    check_target(target)
        .map_err(|why| ApiError::invalid(format!("invalid volume specification: '{target}': {why}")))?;
    Ok(MountSpec {
        target: target.to_owned(),
        kind: MountKind::Tmpfs { size: 0, mode: 0, options: options.to_owned() },
        readonly: options.split(',').any(|option| option == "ro"),
        // Tells it from `--mount type=tmpfs`, which inspect shows elsewhere.
        bind_text: Some(format!("{target}:{options}")),
        origin: Origin::Asked,
    })
}

fn check_target(target: &str) -> Result<(), String> {
    if !target.starts_with('/') {
        return Err(format!("invalid mount path: '{target}' mount path must be absolute"));
    }
    if clean(target) == "/" {
        return Err("invalid specification: destination can't be '/'".to_owned());
    }
    Ok(())
}

#[cfg(test)]
#[path = "mounts_tests.rs"]
mod tests;
