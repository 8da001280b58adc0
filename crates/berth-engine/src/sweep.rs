//! What a crash left: files no record speaks of, sockets nobody listens on, cgroups of containers that are gone.
//!
//! Only what is provably ours is touched: other daemons may share the host, and even the parent of our cgroups.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use berth_cgroup::{Cgroup, Driver};

use crate::ground::Ground;
use crate::id::ContainerId;

/// Ends every process of a container without a shim, and its cgroup.
pub(crate) fn kill_cgroup(ground: &Ground, own_parent: &str, id: &ContainerId) {
    let systemd = ground.policy.systemd_cgroups;
    let path = crate::plan::cgroup::path(own_parent, &ground.cgroup_parent, id, systemd);
    let driver = if systemd { Driver::Systemd } else { Driver::Cgroupfs };
    let Ok(cgroup) = Cgroup::open(&ground.hierarchy, &path, driver) else { return };
    if !cgroup.exists() {
        return;
    }
    let ended = cgroup.kill_all(rustix::process::Signal::KILL).and_then(|()| cgroup.remove());
    if let Err(error) = ended {
        tracing::warn!(%id, %error, "removing the cgroup of a container that is gone");
    }
}

/// What belongs to no container, as it was before the first one could be made.
#[derive(Debug)]
pub(crate) struct Garbage {
    containers: Vec<ContainerId>,
    sockets: Vec<String>,
}

/// Looks for it; `known`: the containers that are recorded.
pub(crate) fn find(ground: &Ground, known: &BTreeSet<String>) -> Garbage {
    let unknown = |name: &String| !known.contains(name.strip_suffix(".sock").unwrap_or(name));
    let containers = names(&ground.containers_dir()).into_iter().filter(unknown);
    Garbage {
        containers: containers.filter_map(|name| ContainerId::parse(&name)).collect(),
        sockets: names(&ground.shims()).into_iter().filter(unknown).collect(),
    }
}

/// Removes it. Blocks.
pub(crate) fn sweep(ground: &Ground, garbage: Garbage) {
    for id in garbage.containers {
        kill_cgroup(ground, "", &id);
        let directory = ground.containers_dir().join(id.as_str());
        if let Err(error) = berth_image::snapshot::discard(&directory, &ground.trash()) {
            tracing::warn!(%id, %error, "sweeping a container's files");
        }
    }
    for name in garbage.sockets {
        drop(fs::remove_file(ground.shims().join(name)));
    }
    sweep_other_boots(ground);
    empty(&ground.trash());
}

/// What an earlier daemon threw away and did not come to remove.
fn empty(trash: &Path) {
    for name in names(trash) {
        let path = trash.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        if let Err(error) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "emptying the trash");
        }
    }
}

/// Run roots of earlier boots: `/run` need not be emptied by a reboot.
fn sweep_other_boots(ground: &Ground) {
    let Some(root) = ground.run_root.parent() else { return };
    for name in names(root) {
        let is_boot_id = name.len() == 36 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if is_boot_id && name != ground.host.boot_id {
            drop(fs::remove_dir_all(root.join(name)));
        }
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Takes down the parent of our cgroups where it is empty; another daemon's containers keep it.
pub(crate) fn remove_cgroup_parent(ground: &Ground) {
    if ground.policy.systemd_cgroups {
        // Slices are systemd's.
        return;
    }
    let parent = if ground.cgroup_parent.is_empty() { "/berth" } else { &ground.cgroup_parent };
    let parent = format!("/{}", parent.trim_matches('/'));
    if parent == "/" {
        return;
    }
    ground.hierarchy.prune(&parent);
}
