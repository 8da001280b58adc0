//! What the mount table and /proc/self/cgroup say, read back.

#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

const HYBRID: &str = "\
22 1 254:0 / / rw - ext4 /dev/root rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory,release_agent=/x
36 31 0:33 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
99 31 0:32 / /chroot/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
";

#[test]
fn co_mounted_hybrid() {
    let own = "3:memory:/a/b\n2:cpu,cpuacct:/\n1:name=systemd:/init.scope\n0::/init.scope\n";
    let found = Hierarchy::from_proc(HYBRID, own).unwrap();
    assert_eq!(found.mode(), Mode::Hybrid);
    assert_eq!(found.controllers(), ["cpu", "cpuacct", "memory"]);
    assert_eq!(found.mounts().len(), 3);
    let memory = &found.mounts()[1];
    assert_eq!(memory.directory("/berth/x").unwrap(), Path::new("/sys/fs/cgroup/memory/berth/x"));
    assert_eq!(memory.directory("x").unwrap(), Path::new("/sys/fs/cgroup/memory/a/b/x"));
    assert_eq!(found.mounts()[2].controllers, ["name=systemd"]);
    assert!(found.has("io") == found.has("blkio") && !found.has("io"));
}

#[test]
fn inside_a_container_the_root_is_ours() {
    let mounts = "50 40 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let found = Hierarchy::from_proc(mounts, "4:memory:/docker/abc/in\n").unwrap();
    assert_eq!(found.mode(), Mode::V1);
    assert_eq!(found.mounts()[0].directory("x").unwrap(), Path::new("/sys/fs/cgroup/memory/in/x"));
}

#[test]
fn unified_beside_a_named_one_is_v2() {
    let root = tempfile::tempdir().unwrap();
    let point = root.path().join("with space");
    std::fs::create_dir(&point).unwrap();
    std::fs::write(point.join("cgroup.controllers"), "cpu memory\n").unwrap();
    let mounts = format!(
        "1 2 0:1 / {} rw - cgroup2 none rw\n3 2 0:2 / /s rw - cgroup none rw,name=systemd\n",
        point.display().to_string().replace(' ', "\\040")
    );
    let found = Hierarchy::from_proc(&mounts, "0::/\n").unwrap();
    assert_eq!(found.mode(), Mode::V2);
    assert!(found.has("cpuacct") && found.has("freezer") && !found.has("pids"));
}

#[test]
fn none() {
    assert!(matches!(Hierarchy::from_proc("22 1 254:0 / / rw - ext4 /dev/root rw\n", ""), Err(Error::NoHierarchy)));
}
