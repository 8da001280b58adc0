//! `Binds`, `Mounts` and `Tmpfs`: three spellings of mounts, one list in the domain.

use std::collections::BTreeSet;

use berth_api::host_config::{HostConfig, Mount};
use berth_engine::spec::{MountKind, MountSpec};

use crate::http::error::ApiError;

/// Every mount asked for.
pub(crate) fn all(host: &HostConfig) -> Result<Vec<MountSpec>, ApiError> {
    let binds = host.binds.iter().flatten().map(|text| bind(text));
    let mounts = host.mounts.iter().map(mount);
    let tmpfs = host.tmpfs.iter().map(|(target, options)| tmpfs(target, options));
    let all: Vec<MountSpec> = binds.chain(mounts).chain(tmpfs).collect::<Result<_, _>>()?;
    let mut targets = BTreeSet::new();
    match all.iter().find(|mount| !targets.insert(clean(&mount.target))) {
        Some(mount) => Err(ApiError::invalid(format!("Duplicate mount point: {}", mount.target))),
        None => Ok(all),
    }
}

/// `source:target[:options]`.
fn bind(text: &str) -> Result<MountSpec, ApiError> {
    let invalid = || ApiError::invalid(format!("invalid volume specification: '{text}'"));
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [target] if target.starts_with('/') => return Err(no_volumes(text, target)),
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(invalid()),
    };
    if source.is_empty() || target.is_empty() {
        return Err(invalid());
    }
    check_target(target, text)?;
    let mode = BindMode::parse(options).ok_or_else(|| ApiError::invalid(format!("invalid mode: {options}")))?;
    if !source.starts_with('/') {
        return Err(named(source, text));
    }
    Ok(MountSpec {
        target: target.to_owned(),
        readonly: mode.readonly,
        bind_text: Some(text.to_owned()),
        kind: MountKind::Bind {
            source: source.to_owned(),
            propagation: mode.propagation,
            create_source: true,
            non_recursive: mode.non_recursive,
        },
    })
}

fn no_volumes(text: &str, target: &str) -> ApiError {
    ApiError::not_yet("have volumes", &format!("-v {text}, HostConfig.Binds: {target}"))
}

/// A source that is no path is a volume's name, if it can be one.
fn named(source: &str, text: &str) -> ApiError {
    let good = source.starts_with(|c: char| c.is_ascii_alphanumeric())
        && source.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    match good {
        true => no_volumes(text, source),
        false => ApiError::invalid(format!(
            "{source} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. \
             If you intended to pass a host directory, use absolute path"
        )),
    }
}

#[derive(Default)]
struct BindMode {
    readonly: bool,
    non_recursive: bool,
    propagation: String,
}

impl BindMode {
    /// `ro`, `rw`, `z`, `Z`, a propagation, … in any order; each kind once.
    fn parse(options: &str) -> Option<Self> {
        let mut mode = Self::default();
        let mut kinds = BTreeSet::new();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let kind = match option {
                "ro" | "rw" => {
                    mode.readonly = option == "ro";
                    "access"
                }
                // SELinux labels: nothing to relabel where there is no SELinux.
                "z" | "Z" => "label",
                "shared" | "rshared" | "slave" | "rslave" | "private" | "rprivate" => {
                    option.clone_into(&mut mode.propagation);
                    "propagation"
                }
                "consistent" | "cached" | "delegated" => "consistency",
                "bind-nonrecursive" => {
                    mode.non_recursive = true;
                    "recursion"
                }
                _ => return None,
            };
            if !kinds.insert(kind) {
                return None;
            }
        }
        Some(mode)
    }
}

/// `--mount`.
fn mount(mount: &Mount) -> Result<MountSpec, ApiError> {
    let invalid = |why: &str| ApiError::invalid(format!("invalid mount config for type \"{}\": {why}", mount.kind));
    if mount.target.is_empty() {
        return Err(invalid("field Target must not be empty"));
    }
    check_mount_target(&mount.target).map_err(|why| invalid(&why))?;
    let kind = match mount.kind.as_str() {
        "bind" => bind_mount(mount).map_err(|why| invalid(&why))?,
        "tmpfs" if !mount.source.is_empty() => return Err(invalid("field Source must not be specified")),
        "tmpfs" => {
            let options = mount.tmpfs_options.clone().unwrap_or_default();
            if options.size_bytes < 0 {
                return Err(invalid("field TmpfsOptions.SizeBytes must not be negative"));
            }
            MountKind::Tmpfs { size: options.size_bytes, mode: options.mode, options: String::new() }
        }
        _ => return Err(ApiError::invalid(format!("invalid mount config: mount type unknown: \"{}\"", mount.kind))),
    };
    Ok(MountSpec { target: mount.target.clone(), kind, readonly: mount.read_only, bind_text: None })
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
    if mount.volume_options.is_some() {
        return Err("field VolumeOptions must not be specified".to_owned());
    }
    if mount.tmpfs_options.is_some() {
        return Err("field TmpfsOptions must not be specified".to_owned());
    }
    if !options.create_mountpoint && !std::path::Path::new(&mount.source).exists() {
        return Err(format!("bind source path does not exist: {}", mount.source));
    }
    Ok(MountKind::Bind {
        source: mount.source.clone(),
        propagation: options.propagation,
        create_source: options.create_mountpoint,
        non_recursive: options.non_recursive,
    })
}

/// `--tmpfs`.
fn tmpfs(target: &str, options: &str) -> Result<MountSpec, ApiError> {
    check_target(target, target)?;
    Ok(MountSpec {
        target: target.to_owned(),
        kind: MountKind::Tmpfs { size: 0, mode: 0, options: options.to_owned() },
        readonly: options.split(',').any(|option| option == "ro"),
        // Tells it from `--mount type=tmpfs`, which inspect shows elsewhere.
        bind_text: Some(format!("{target}:{options}")),
    })
}

fn check_target(target: &str, text: &str) -> Result<(), ApiError> {
    check_mount_target(target)
        .map_err(|why| ApiError::invalid(format!("invalid volume specification: '{text}': {why}")))
}

fn check_mount_target(target: &str) -> Result<(), String> {
    if !target.starts_with('/') {
        return Err(format!("invalid mount path: '{target}' mount path must be absolute"));
    }
    if clean(target) == "/" {
        return Err("invalid specification: destination can't be '/'".to_owned());
    }
    Ok(())
}

/// The path without `.`, `..` and doubled slashes.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn binds() {
        let mount = bind("/a:/b:ro,rslave,z").unwrap();
        assert!(mount.readonly);
        let MountKind::Bind { source, propagation, create_source, .. } = mount.kind else { panic!("no bind") };
        assert_eq!((source.as_str(), propagation.as_str(), create_source), ("/a", "rslave", true));
        for (text, wanted) in [
            ("/a:/b:xx", "invalid mode: xx"),
            ("/a:/b:ro,rw", "invalid mode: ro,rw"),
            ("/a:b", "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute"),
            ("/a:/", "invalid volume specification: '/a:/': invalid specification: destination can't be '/'"),
            ("/a:/x/..", "invalid volume specification: '/a:/x/..': invalid specification: destination can't be '/'"),
            (":/b", "invalid volume specification: ':/b'"),
            ("a", "invalid volume specification: 'a'"),
        ] {
            assert_eq!(bind(text).unwrap_err().message, wanted, "{text}");
        }
        assert_eq!(bind("vol:/b").unwrap_err().status, http::StatusCode::NOT_IMPLEMENTED);
        assert_eq!(bind("/b").unwrap_err().status, http::StatusCode::NOT_IMPLEMENTED);
        assert_eq!(bind("../x:/b").unwrap_err().status, http::StatusCode::BAD_REQUEST);
    }

    #[test]
    fn mounts_and_duplicates() {
        let bind = |source: &str| Mount {
            kind: "bind".into(),
            source: source.into(),
            target: "/t".into(),
            ..Mount::default()
        };
        assert_eq!(
            mount(&bind("/no/such/thing")).unwrap_err().message,
            "invalid mount config for type \"bind\": bind source path does not exist: /no/such/thing"
        );
        mount(&bind("/")).unwrap();
        let host = HostConfig { binds: Some(vec!["/:/t/".into()]), mounts: vec![bind("/")], ..HostConfig::default() };
        assert_eq!(all(&host).unwrap_err().message, "Duplicate mount point: /t");
    }
}
