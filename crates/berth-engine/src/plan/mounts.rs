//! What is mounted in a container, in Docker's order and with Docker's options.

use std::collections::BTreeSet;
use std::path::PathBuf;

use oci_spec::runtime::{Mount, MountBuilder};

use super::{Inputs, process, unbuildable};
use crate::spec::{ContainerSpec, IpcMode, MountKind, MountSpec, Reach};
use crate::view::Paths;
use crate::{Error, Result};

const SHM: &str = "/dev/shm";

struct Basic {
    destination: &'static str,
    kind: &'static str,
    source: &'static str,
    options: &'static [&'static str],
}

const BASIC: [Basic; 7] = [
    Basic { destination: "/proc", kind: "proc", source: "proc", options: &["nosuid", "noexec", "nodev"] },
    Basic {
        destination: "/dev",
        kind: "tmpfs",
        source: "tmpfs",
        options: &["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    Basic {
        destination: "/dev/pts",
        kind: "devpts",
        source: "devpts",
        options: &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    Basic { destination: "/sys", kind: "sysfs", source: "sysfs", options: &["nosuid", "noexec", "nodev", "ro"] },
    Basic {
        destination: "/sys/fs/cgroup",
        kind: "cgroup",
        source: "cgroup",
        options: &["ro", "nosuid", "noexec", "nodev"],
    },
    Basic { destination: "/dev/mqueue", kind: "mqueue", source: "mqueue", options: &["nosuid", "noexec", "nodev"] },
    Basic {
        destination: "/dev/shm",
        kind: "tmpfs",
        source: "shm",
        options: &["nosuid", "noexec", "nodev", "mode=1777"],
    },
];

pub(crate) fn all(inputs: Inputs<'_>) -> Result<Vec<Mount>> {
    let spec = inputs.spec;
    let asked = &inputs.effective.mounts;
    let users: BTreeSet<String> = asked.iter().map(|m| clean(&m.target)).collect();
    let replaced =
        |destination: &str| users.contains(destination) || (destination.starts_with("/dev/") && users.contains("/dev"));
    let mut mounts = Vec::new();
    for basic in BASIC.iter().filter(|b| !replaced(b.destination)) {
        match basic.destination {
            SHM => mounts.extend(shm(basic, inputs)?),
            _ => mounts.push(basic_mount(basic, spec)?),
        }
    }
    let mut users = Vec::with_capacity(asked.len() + 3);
    let files = inputs.joined.files.as_ref().unwrap_or(inputs.paths);
    for (path, destination) in
        [(&files.resolv_conf, "/etc/resolv.conf"), (&files.hostname, "/etc/hostname"), (&files.hosts, "/etc/hosts")]
    {
        if !replaced(destination) {
            let mut options = vec!["rbind", "rprivate"];
            if spec.isolation.readonly_rootfs {
                options.push("ro");
            }
            users.push(mount(destination, "bind", path.clone(), words(&options))?);
        }
    }
    if spec.isolation.init {
        let source = inputs.init_program.to_owned();
        users.push(mount(process::INIT_PATH, "bind", source, words(&["bind", "ro", "nosuid", "nodev"]))?);
    }
    for asked in asked {
        users.push(user_mount(asked, inputs.paths)?);
    }
    // A mount below another comes after it, whatever the order in which they were asked for.
    users.sort_by_key(|m| m.destination().components().count());
    mounts.extend(users);
    Ok(mounts)
}

fn words(options: &[&str]) -> Vec<String> {
    options.iter().map(ToString::to_string).collect()
}

fn mount(destination: &str, kind: &str, source: PathBuf, options: Vec<String>) -> Result<Mount> {
    MountBuilder::default()
        .destination(destination)
        .typ(kind)
        .source(source)
        .options(options)
        .build()
        .map_err(unbuildable)
}

/// `/dev/shm` is part of what `--ipc` is about.
fn shm(basic: &Basic, inputs: Inputs<'_>) -> Result<Option<Mount>> {
    let bound = |options: Vec<String>| mount(SHM, "bind", PathBuf::from(SHM), options).map(Some);
    match (&inputs.spec.isolation.ipc, &inputs.joined.shm) {
        (IpcMode::None, _) => Ok(None),
        (IpcMode::Host, _) => bound(words(&["rbind", "rprivate"])),
        (_, Some(namespace)) => {
            let mut options = words(&["bind", "rprivate", "nosuid", "noexec", "nodev"]);
            // Where the source is looked up: the runtime's own option.
            options.push(format!("x-berth.namespace={}", namespace.display()));
            bound(options)
        }
        _ => basic_mount(basic, inputs.spec).map(Some),
    }
}

fn basic_mount(basic: &Basic, spec: &ContainerSpec) -> Result<Mount> {
    let mut options = words(basic.options);
    match basic.destination {
        "/sys" | "/sys/fs/cgroup" if spec.isolation.privileged => options.retain(|o| o != "ro"),
        "/sys/fs/cgroup" if spec.isolation.writable_cgroups => options.retain(|o| o != "ro"),
        SHM => options.push(format!("size={}", shm_size(spec))),
        _ => {}
    }
    mount(basic.destination, basic.kind, PathBuf::from(basic.source), options)
}

fn shm_size(spec: &ContainerSpec) -> i64 {
    if spec.resources.shm_size > 0 { spec.resources.shm_size } else { 64 << 20 }
}

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

fn user_mount(asked: &MountSpec, paths: &Paths) -> Result<Mount> {
    let target = clean(&asked.target);
    match &asked.kind {
        MountKind::Bind { source, propagation, non_recursive, reach, .. } => {
            let propagation = if propagation.is_empty() { "rprivate" } else { propagation };
            let mut options = words(&[if *non_recursive { "bind" } else { "rbind" }, propagation]);
            if asked.readonly {
                let whole = !*non_recursive && *reach != Reach::Top;
                options.push(if whole { "rro" } else { "ro" }.into());
            }
            mount(&target, "bind", PathBuf::from(clean(source)), options)
        }
        MountKind::Volume(volume) => {
            let source = below(paths.volume(&volume.name), &volume.subpath);
            mount(&target, "bind", source, bound(asked.readonly))
        }
        MountKind::Image { id, subpath, .. } => {
            mount(&target, "bind", below(PathBuf::from(format!("/{id}")), subpath), bound(true))
        }
        MountKind::Tmpfs { size, mode, options } => {
            mount(&target, "tmpfs", PathBuf::from("tmpfs"), tmpfs(*size, *mode, options, asked.readonly))
        }
    }
}

fn below(path: PathBuf, subpath: &str) -> PathBuf {
    if subpath.is_empty() { path } else { path.join(subpath) }
}

fn bound(readonly: bool) -> Vec<String> {
    words(if readonly { &["rbind", "rprivate", "rro"] } else { &["rbind", "rprivate"] })
}

fn tmpfs(size: i64, mode: u32, options: &str, readonly: bool) -> Vec<String> {
    let mut all = words(&["noexec", "nosuid", "nodev"]);
    for option in options.split(',').filter(|o| !o.is_empty()) {
        // `exec` undoes `noexec`, and so on: the later word of a pair holds.
        let opposite = option.strip_prefix("no").map_or_else(|| format!("no{option}"), str::to_owned);
        all.retain(|o| *o != opposite && o != option);
        all.push(option.to_owned());
    }
    if size > 0 {
        all.push(format!("size={size}"));
    }
    if mode > 0 {
        all.push(format!("mode={mode:o}"));
    }
    if readonly {
        all.push("ro".into());
    }
    all
}

/// A mount whose source no path names safely: it is opened on the host and goes along as a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Where it is mounted, as the specification writes it.
    pub target: String,
    /// What is opened.
    pub what: Source,
    /// The directory of it; empty: all of it.
    pub subpath: String,
}

/// What an [`Opened`] mount is opened from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A volume, by name: its content may be hostile, and its links must not lead out of it.
    Volume(String),
    /// An image, by id: its layers have to be put together first.
    Image(String),
}

/// The mounts to be opened.
pub(super) fn opened(mounts: &[MountSpec]) -> Vec<Opened> {
    let one = |mount: &MountSpec| {
        let (what, subpath) = match &mount.kind {
            MountKind::Volume(volume) if !volume.subpath.is_empty() => {
                (Source::Volume(volume.name.clone()), &volume.subpath)
            }
            MountKind::Image { id, subpath, .. } => (Source::Image(id.clone()), subpath),
            _ => return None,
        };
        Some(Opened { target: clean(&mount.target), what, subpath: subpath.clone() })
    };
    mounts.iter().filter_map(one).collect()
}

/// `/a//b/../c/` as `/a/c`; what leads above the root stays at it.
#[must_use]
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Checks the mounts of a request: absolute, no two on one path.
///
/// # Errors
/// Docker's sentence.
pub fn validate(mounts: &[MountSpec]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for asked in mounts {
        let target = clean(&asked.target);
        let invalid = |why: String| Err(Error::Invalid(why));
        if !asked.target.starts_with('/') {
            return invalid(format!("invalid mount path: '{}' mount path must be absolute", asked.target));
        }
        if target == "/" {
            return invalid("invalid specification: destination can't be '/'".into());
        }
        if !seen.insert(target.clone()) {
            return invalid(format!("Duplicate mount point: {target}"));
        }
        if let MountKind::Bind { source, propagation, .. } = &asked.kind {
            if !source.starts_with('/') {
                return invalid(format!("invalid mount path: '{source}' mount path must be absolute"));
            }
            if !propagation.is_empty() && !PROPAGATIONS.contains(&propagation.as_str()) {
                return invalid(format!(
                    "invalid mount config for type \"bind\": invalid propagation mode: {propagation}"
                ));
            }
        }
    }
    Ok(())
}

/// The sources to be made where missing, and those that must be there.
pub(super) fn sources(mounts: &[MountSpec]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut make, mut need) = (Vec::new(), Vec::new());
    for asked in mounts {
        if let MountKind::Bind { source, create_source, .. } = &asked.kind {
            if *create_source { &mut make } else { &mut need }.push(PathBuf::from(clean(source)));
        }
    }
    (make, need)
}

/// What a bind mount that shares with the host needs of the root.
pub(super) fn root_propagation(mounts: &[MountSpec]) -> String {
    let has = |words: [&str; 2]| {
        mounts.iter().any(|m| match &m.kind {
            MountKind::Bind { propagation, .. } => words.contains(&propagation.as_str()),
            _ => false,
        })
    };
    if has(["shared", "rshared"]) {
        "shared".into()
    } else if has(["slave", "rslave"]) {
        "rslave".into()
    } else {
        "private".into()
    }
}
