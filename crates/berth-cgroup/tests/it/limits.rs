//! Limits as the kernel tells them back, and as processes feel them.

use serde_json::json;

use crate::host::{Host, Inside, resources, value};

#[test]
fn set_and_told_back() {
    let Some(host) = Host::with("limits::set_and_told_back", &["memory", "cpu", "pids"]) else { return };
    let cgroup = host
        .create(&resources(json!({
            "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
            "cpu": {"shares": 512, "quota": 50000, "period": 200_000},
            "pids": {"limit": 77},
        })))
        .unwrap();
    let told = |controller, v1: &'static str, v2: &'static str| {
        value(&cgroup, controller, if cgroup.is_unified() { v2 } else { v1 })
    };
    assert_eq!(told("memory", "memory.limit_in_bytes", "memory.max"), "67108864");
    assert_eq!(told("memory", "memory.soft_limit_in_bytes", "memory.low"), "33554432");
    assert_eq!(told("pids", "pids.max", "pids.max"), "77");
    if cgroup.is_unified() {
        assert_eq!(value(&cgroup, "cpu", "cpu.max"), "50000 200000");
        assert_eq!(value(&cgroup, "cpu", "cpu.weight"), "59");
        assert_eq!(value(&cgroup, "memory", "memory.swap.max"), "33554432");
    } else {
        assert_eq!(value(&cgroup, "cpu", "cpu.shares"), "512");
        assert_eq!(value(&cgroup, "cpu", "cpu.cfs_quota_us"), "50000");
        assert_eq!(value(&cgroup, "cpu", "cpu.cfs_period_us"), "200000");
        assert_eq!(value(&cgroup, "memory", "memory.memsw.limit_in_bytes"), "100663296");
    }
    let stats = cgroup.stats().unwrap();
    assert_eq!(stats.pids.unwrap().limit, Some(77));
    let memory = stats.memory.unwrap();
    assert_eq!((memory.limit, memory.swap_limit), (Some(64 << 20), Some(32 << 20)));
    cgroup.remove().unwrap();
}

#[test]
fn a_cpuset() {
    let Some(host) = Host::with("limits::a_cpuset", &["cpuset"]) else { return };
    let cgroup = host.create(&resources(json!({"cpu": {"cpus": "0", "mems": "0"}}))).unwrap();
    assert_eq!(value(&cgroup, "cpuset", "cpuset.cpus"), "0");
    assert_eq!(value(&cgroup, "cpuset", "cpuset.mems"), "0");
    cgroup.remove().unwrap();
}

#[test]
fn changed_up_and_down() {
    let Some(host) = Host::with("limits::changed_up_and_down", &["memory", "cpu", "pids"]) else { return };
    let cgroup = host.create(&resources(json!({"memory": {"limit": 64 << 20, "swap": 64 << 20}}))).unwrap();
    let limit = |cgroup: &berth_cgroup::Cgroup| cgroup.stats().unwrap().memory.unwrap().limit;
    for (memory, swap) in
        [(256 << 20, 512 << 20), (16 << 20, 32 << 20), (8 << 20, 8 << 20), (-1, -1), (32 << 20, 40 << 20)]
    {
        cgroup.update(&resources(json!({"memory": {"limit": memory, "swap": swap}}))).unwrap();
        assert_eq!(limit(&cgroup), u64::try_from(memory).ok());
    }
    // Only what is named changes; a burst is only valid beside a quota.
    cgroup.update(&resources(json!({"cpu": {"burst": 20000, "quota": 30000, "period": 100_000}}))).unwrap();
    cgroup.update(&resources(json!({"cpu": {"period": 50000}}))).unwrap();
    cgroup.update(&resources(json!({"pids": {"limit": -1}}))).unwrap();
    assert_eq!(limit(&cgroup), Some(32 << 20));
    if cgroup.is_unified() {
        assert_eq!(value(&cgroup, "cpu", "cpu.max"), "30000 50000");
        assert_eq!(value(&cgroup, "cpu", "cpu.max.burst"), "20000");
    } else {
        assert_eq!(value(&cgroup, "cpu", "cpu.cfs_quota_us"), "30000");
        assert_eq!(value(&cgroup, "cpu", "cpu.cfs_burst_us"), "20000");
    }
    assert_eq!(cgroup.stats().unwrap().pids.unwrap().limit, None);
    cgroup.remove().unwrap();
}

#[test]
fn memory_in_use_is_named() {
    let Some(host) = Host::with("limits::memory_in_use_is_named", &["memory"]) else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    // A megabyte that cannot be given back: it is held in a variable of the shell.
    let script = "x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo ready; sleep 100; echo $x";
    let mut inside = Inside::run(&cgroup, script);
    let mut ready = [0; 6];
    std::io::Read::read_exact(inside.0.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let asked = resources(json!({"memory": {"limit": 100_000, "checkBeforeUpdate": true}}));
    let error = cgroup.update(&asked).unwrap_err().to_string();
    assert!(error.starts_with("a memory limit cannot be 100000: ") && error.contains("bytes are in use"), "{error}");
    drop(inside);
    cgroup.kill_all(rustix::process::Signal::KILL).unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn what_the_host_lacks() {
    let Some(host) = Host::new("limits::what_the_host_lacks") else { return };
    if host.hierarchy.has("rdma") {
        eprintln!("skipped: limits::what_the_host_lacks: this host has an rdma controller");
        return;
    }
    let asked = resources(json!({"rdma": {"mlx0": {"hcaHandles": 3}}, "pids": {"limit": 9}}));
    let error = host.create(&asked).unwrap_err().to_string();
    let said = "an RDMA limit cannot be set: this host has no rdma cgroup controller";
    assert!(error.starts_with(said), "{error}");
    let created = host.create_leniently(&asked).unwrap();
    assert_eq!(created.warnings.len(), 1);
    assert!(created.warnings[0].to_string().starts_with(said));
    assert_eq!(value(&created.cgroup, "pids", "pids.max"), "9");
    created.cgroup.remove().unwrap();
}

#[test]
fn values_no_kernel_takes() {
    let Some(host) = Host::new("limits::values_no_kernel_takes") else { return };
    for (asked, said) in [
        (
            json!({"memory": {"limit": 200, "swap": 100}}),
            "memory and swap together cannot be 100: it is less than the memory limit",
        ),
        (
            json!({"hugepageLimits": [{"pageSize": "../x", "limit": 1}]}),
            "a huge page size cannot be \"../x\": it must look like 2MB",
        ),
        (json!({"devices": [{"allow": true, "type": "c", "access": "q"}]}), "access is made of r, w and m"),
    ] {
        let error = host.create(&resources(asked)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn pids_are_counted() {
    let Some(host) = Host::with("limits::pids_are_counted", &["pids"]) else { return };
    let cgroup = host.create(&resources(json!({"pids": {"limit": 1}}))).unwrap();
    let (said, code) = Inside::run(&cgroup, "sleep 0.1 & echo started").finish();
    assert_ne!((said.as_str(), code), ("started\n", Some(0)), "a second process was not refused");
    cgroup.remove().unwrap();
}

#[test]
fn devices_are_refused() {
    let Some(host) = Host::with("limits::devices_are_refused", &["devices"]) else { return };
    if std::fs::File::open("/dev/kmsg").is_err() {
        eprintln!("skipped: limits::devices_are_refused: /dev/kmsg cannot be read here anyway");
        return;
    }
    let try_both = "true </dev/null && echo null; true </dev/kmsg && echo kmsg; :";
    let ask = |cgroup: &berth_cgroup::Cgroup| Inside::run(cgroup, try_both).finish().0;
    let deny = json!({"allow": false, "access": "rwm"});
    let kmsg = json!({"allow": true, "type": "c", "major": 1, "minor": 11, "access": "rwm"});
    let cgroup = host.create(&resources(json!({"devices": [deny]}))).unwrap();
    assert_eq!(ask(&cgroup), "null\n");
    cgroup.update(&resources(json!({"devices": [deny, kmsg]}))).unwrap();
    assert_eq!(ask(&cgroup), "null\nkmsg\n");
    cgroup.update(&resources(json!({"devices": [deny]}))).unwrap();
    assert_eq!(ask(&cgroup), "null\n");
    cgroup.update(&resources(json!({"pids": {"limit": 50}}))).unwrap();
    assert_eq!(ask(&cgroup), "null\n", "an update without rules leaves them");
    cgroup.remove().unwrap();
    let privileged = json!({"devices": [{"allow": true, "access": "rwm"}]});
    let cgroup = host.create(&resources(privileged)).unwrap();
    assert_eq!(ask(&cgroup), "null\nkmsg\n");
    cgroup.remove().unwrap();
}
