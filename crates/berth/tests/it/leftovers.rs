//! What a daemon and its containers may leave behind on the host: nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::until;

/// Fails if a mount, link, cgroup or process that belonged to `root`'s daemon is still there.
///
/// The kernel takes some things down after the last process is gone, so each is given a moment.
pub(crate) fn assert_none(root: &Path, bridge: &str, ids: &str) {
    let root = root.to_str().unwrap();
    until("no mount is left", || !fs::read_to_string("/proc/mounts").unwrap().contains(root));
    until("no process is left", || processes_naming(root).is_empty());
    until("no bridge is left", || !Path::new("/sys/class/net").join(bridge).exists());
    for id in ids.lines() {
        assert_no_cgroup(id);
    }
}

/// Fails if a container whose id begins so still has a cgroup.
pub(crate) fn assert_no_cgroup(id: &str) {
    until("no cgroup is left", || !cgroup_exists(id));
}

fn processes_naming(root: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let command_lines = entries.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    command_lines.filter(|line| line.contains(root)).collect()
}

fn cgroup_exists(id: &str) -> bool {
    let base = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(base).unwrap().flatten().map(|entry| entry.path());
    let named = |parent: PathBuf| fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names = hierarchies.chain([base.to_owned()]).flat_map(|hierarchy| named(hierarchy.join("berth")));
    names.any(|name| name.to_string_lossy().starts_with(id))
}
