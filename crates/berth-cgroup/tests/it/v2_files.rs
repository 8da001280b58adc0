//! v2's translation, with plain files in a temporary directory where the kernel's would be.

use std::fs;
use std::path::Path;

use berth_cgroup::{Cgroup, Hierarchy, Mode};
use serde_json::json;
use tempfile::TempDir;

use crate::host::resources;

const FILES: [&str; 22] = [
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.freeze",
    "cgroup.events",
    "memory.max",
    "memory.low",
    "memory.swap.max",
    "memory.current",
    "memory.stat",
    "memory.events",
    "cpu.max",
    "cpu.weight",
    "cpu.idle",
    "cpu.max.burst",
    "cpu.stat",
    "cpuset.cpus",
    "cpuset.mems",
    "pids.max",
    "pids.current",
    "io.max",
    "io.weight",
    "io.stat",
];

/// A hierarchy whose cgroup `/berth/c` stands ready.
fn fake() -> (TempDir, Hierarchy) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("cgroup.controllers"), "cpuset cpu io memory hugetlb pids rdma misc\n").unwrap();
    for directory in ["", "berth", "berth/c"] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
        for file in FILES {
            fs::write(root.path().join(directory).join(file), "").unwrap();
        }
    }
    let mountinfo = format!("31 23 0:28 / {} rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", root.path().display());
    let hierarchy = Hierarchy::from_proc(&mountinfo, "0::/user.slice\n").unwrap();
    (root, hierarchy)
}

/// Rules that need no program, which a plain directory cannot bear.
fn with_all_devices(mut asked: serde_json::Value) -> oci_spec::runtime::LinuxResources {
    asked["devices"] = json!([{"allow": true, "access": "rwm"}]);
    resources(asked)
}

fn said(root: &TempDir, file: &str) -> String {
    fs::read_to_string(root.path().join("berth/c").join(file)).unwrap()
}

#[test]
fn the_hierarchy() {
    let (root, hierarchy) = fake();
    assert_eq!(hierarchy.mode(), Mode::V2);
    assert!(hierarchy.has("blkio") && hierarchy.has("io") && hierarchy.has("devices") && hierarchy.has("cpuacct"));
    assert!(!hierarchy.has("net_cls"));
    assert_eq!(hierarchy.unified().unwrap().own, Path::new("/user.slice"));
    let cgroup = Cgroup::open(&hierarchy, "berth/c", Default::default()).unwrap();
    assert_eq!(cgroup.directory("memory").unwrap(), root.path().join("user.slice/berth/c"));
}

#[test]
fn units_are_v2s() {
    let (root, hierarchy) = fake();
    let asked = json!({
        "memory": {"limit": 1000, "swap": 1500, "reservation": 500},
        "cpu": {"shares": 1024, "quota": 5000, "cpus": "0-1", "mems": "0", "burst": 7},
        "pids": {"limit": 12},
        "blockIO": {"weight": 500, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 99}]},
    });
    let cgroup = Cgroup::create(&hierarchy, "/berth/c", &with_all_devices(asked)).unwrap();
    for (file, value) in [
        ("memory.max", "1000"),
        ("memory.swap.max", "500"),
        ("memory.low", "500"),
        ("cpu.weight", "100"),
        ("cpu.max", "5000 100000"),
        ("cpu.max.burst", "7"),
        ("cpuset.cpus", "0-1"),
        ("pids.max", "12"),
        ("io.weight", "default 4950"),
        ("io.max", "8:0 rbps=99"),
    ] {
        assert_eq!(said(&root, file), value, "{file}");
    }
    let control = fs::read_to_string(root.path().join("berth/cgroup.subtree_control")).unwrap();
    assert_eq!(control, "+cpuset +cpu +io +memory +hugetlb +pids +rdma +misc");
    cgroup.update(&resources(json!({"cpu": {"period": 50000}, "memory": {"limit": -1}}))).unwrap();
    assert_eq!(said(&root, "cpu.max"), "5000 50000");
    assert_eq!(said(&root, "memory.max"), "max");
    assert_eq!(said(&root, "memory.swap.max"), "max");
}

#[test]
fn unified_names_files() {
    let (root, hierarchy) = fake();
    let create = |unified| Cgroup::create(&hierarchy, "/berth/c", &with_all_devices(json!({"unified": unified})));
    create(json!({"memory.low": "77", "cpu.idle": "1"})).unwrap();
    assert_eq!(said(&root, "memory.low"), "77");
    let error = create(json!({"../x.y": "1"})).unwrap_err().to_string();
    assert!(error.contains("is not the name of a cgroup file"), "{error}");
    let error = create(json!({"dmem.max": "1"})).unwrap_err().to_string();
    assert_eq!(error, "a unified resource cannot be set: this host has no dmem cgroup controller with dmem.max");
}

#[test]
fn what_v2_lacks() {
    let (_root, hierarchy) = fake();
    for (asked, said) in [
        (json!({"memory": {"swappiness": 3}}), "memory swappiness cannot be set"),
        (json!({"memory": {"disableOOMKiller": true}}), "disabling the OOM killer cannot be set"),
        (json!({"cpu": {"realtimeRuntime": 3}}), "a real-time limit cannot be set"),
        (json!({"network": {"classID": 3}}), "a network class cannot be set"),
        (json!({"memory": {"swap": 3}}), "it needs a memory limit beside it"),
    ] {
        let error = Cgroup::create(&hierarchy, "/berth/c", &with_all_devices(asked)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn figures() {
    let (root, hierarchy) = fake();
    let cgroup = Cgroup::open(&hierarchy, "/berth/c", Default::default()).unwrap();
    for (file, text) in [
        ("cpu.stat", "usage_usec 12\nuser_usec 8\nsystem_usec 4\nnr_periods 3\nnr_throttled 2\nthrottled_usec 9\n"),
        ("memory.current", "4096\n"),
        ("memory.max", "max\n"),
        ("memory.swap.max", "8192\n"),
        ("memory.stat", "anon 1\nfile 2\nkernel 3\n"),
        ("memory.events", "low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\n"),
        ("pids.current", "2\n"),
        ("pids.max", "max\n"),
        ("io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 \n"),
        ("cgroup.procs", "0\n17\n"),
    ] {
        fs::write(root.path().join("berth/c").join(file), text).unwrap();
    }
    let stats = cgroup.stats().unwrap();
    let cpu = stats.cpu.unwrap();
    assert_eq!((cpu.total, cpu.user, cpu.system, cpu.throttled_time), (12_000, 8_000, 4_000, 9_000));
    let memory = stats.memory.unwrap();
    assert_eq!((memory.usage, memory.limit, memory.swap_limit, memory.kernel), (4096, None, Some(8192), Some(3)));
    assert_eq!((memory.oom_kills, memory.failcnt, memory.stat["file"]), (1, 5, 2));
    let blkio = stats.blkio.unwrap();
    assert_eq!((blkio.service_bytes.len(), blkio.serviced[1].value, blkio.serviced[1].op.as_str()), (3, 2, "Write"));
    assert_eq!(stats.pids.unwrap().current, 2);
    assert_eq!(cgroup.oom_kills().unwrap(), 1);
    assert_eq!(cgroup.pids().unwrap(), [17]);
}
