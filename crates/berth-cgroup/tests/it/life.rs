//! Made, entered, taken up, removed.

use std::io::Write;

use berth_cgroup::{Cgroup, Driver};
use serde_json::json;

use crate::host::{Host, Inside, eventually, resources, value};

#[test]
fn made_in_every_hierarchy_and_removed() {
    let Some(host) = Host::new("life::made_in_every_hierarchy_and_removed") else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let count = if host.is_v2() { 1 } else { host.hierarchy.mounts().len() };
    assert_eq!(cgroup.directories().count(), count);
    assert!(cgroup.directories().all(|(_, path)| path.is_dir()));
    if host.hierarchy.has("cpuset") && !host.is_v2() {
        assert_ne!(value(&cgroup, "cpuset", "cpuset.cpus"), "");
        assert_ne!(value(&cgroup, "cpuset", "cpuset.mems"), "");
    }
    assert!(cgroup.pids().unwrap().is_empty());
    cgroup.remove().unwrap();
    assert!(!cgroup.exists());
    cgroup.remove().unwrap();
}

#[test]
fn a_record_is_taken_up() {
    let Some(host) = Host::new("life::a_record_is_taken_up") else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let record = serde_json::to_string(&cgroup).unwrap();
    let again: Cgroup = serde_json::from_str(&record).unwrap();
    assert_eq!(again, cgroup);
    assert_eq!(Cgroup::open(&host.hierarchy, &host.path(), Driver::Cgroupfs).unwrap(), cgroup);
    again.remove().unwrap();
    assert!(!cgroup.exists());
}

#[test]
fn a_thread_enters_by_itself() {
    let Some(host) = Host::new("life::a_thread_enters_by_itself") else { return };
    if host.is_v2() {
        eprintln!("skipped: life::a_thread_enters_by_itself: on v2 a process is cloned into its cgroup");
        return;
    }
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let entrance = cgroup.entrance().unwrap();
    assert_eq!(entrance.tasks.len(), cgroup.directories().count());
    let inside = std::thread::spawn(move || {
        for file in entrance.tasks {
            std::fs::File::from(file).write_all(b"0").unwrap();
        }
        std::fs::read_to_string("/proc/thread-self/cgroup").unwrap()
    });
    let inside = inside.join().unwrap();
    let path = host.path();
    assert_eq!(inside.lines().filter(|line| line.ends_with(&path)).count(), cgroup.directories().count(), "{inside}");
    cgroup.remove().unwrap();
}

#[test]
fn one_with_processes_is_not_taken() {
    let Some(host) = Host::new("life::one_with_processes_is_not_taken") else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let inside = Inside::run(&cgroup, "sleep 100");
    let error = host.create(&resources(json!({}))).unwrap_err().to_string();
    assert!(error.ends_with("/c: it exists and is not empty"), "{error}");
    assert!(cgroup.exists());
    let error = cgroup.remove().unwrap_err().to_string();
    assert!(error.starts_with("cannot remove the cgroup /"), "{error}");
    drop(inside);
    cgroup.kill_all(rustix::process::Signal::KILL).unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn what_the_container_made_below_goes_too() {
    let Some(host) = Host::new("life::what_the_container_made_below_goes_too") else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    for (_, path) in cgroup.directories() {
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        std::fs::create_dir(path.join("x")).unwrap();
    }
    cgroup.remove().unwrap();
    assert!(!cgroup.exists());
}

#[test]
fn failure_leaves_nothing() {
    let Some(host) = Host::with("life::failure_leaves_nothing", &["cpu"]) else { return };
    // Less than the kernel's millisecond.
    let error = host.create(&resources(json!({"cpu": {"quota": 1}}))).unwrap_err().to_string();
    let file = if host.is_v2() { "\"1 100000\" to /" } else { "\"1\" to /" };
    assert!(error.contains(file) && error.ends_with(": invalid argument"), "{error}");
    assert!(host.parents().iter().all(|parent| !parent.join("c").exists()));
}

#[test]
fn paths_that_lead_elsewhere() {
    let Some(host) = Host::new("life::paths_that_lead_elsewhere") else { return };
    for path in ["/berth/../../etc", "/", "", "../x"] {
        let error = Cgroup::create(&host.hierarchy, path, &resources(json!({}))).unwrap_err().to_string();
        assert!(error.contains("is not valid"), "{path}: {error}");
    }
}

#[test]
fn removal_waits_for_those_just_going() {
    let Some(host) = Host::new("life::removal_waits_for_those_just_going") else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let inside = Inside::run(&cgroup, "sleep 0.1");
    eventually("it is in", || cgroup.pids().is_ok_and(|pids| !pids.is_empty()));
    let waiter = std::thread::spawn(move || inside.finish());
    cgroup.remove().unwrap();
    waiter.join().unwrap();
}

#[test]
fn containers_come_and_go_beside_another() {
    let Some(host) = Host::with("life::containers_come_and_go_beside_another", &["memory", "cpu", "pids"]) else {
        return;
    };
    let docker = resources(json!({
        "memory": {"limit": 64 << 20, "swap": 128 << 20}, "cpu": {"shares": 512}, "pids": {"limit": 100},
    }));
    let stays = host.create(&resources(json!({}))).unwrap();
    for round in 0..30 {
        let path = format!("{}{round}", host.path());
        let cgroup = Cgroup::create(&host.hierarchy, &path, &docker).unwrap();
        assert_eq!(value(&cgroup, "pids", "pids.max"), "100");
        assert!(cgroup.entrance().is_ok());
        cgroup.remove().unwrap();
        assert!(!cgroup.exists() && stays.exists());
    }
    stays.remove().unwrap();
}

/// Several engines share a parent, and each prunes it when its last container has gone.
#[test]
fn a_parent_pruned_meanwhile_is_made_again() {
    let Some(host) = Host::new("a_parent_pruned_meanwhile_is_made_again") else { return };
    let path = host.path();
    let (parent, _) = path.rsplit_once('/').unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                host.hierarchy.prune(parent);
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
        });
        let failed = (0..100).find_map(|_| match host.create(&resources(serde_json::json!({}))) {
            Ok(cgroup) => cgroup.remove().err(),
            Err(error) => Some(error),
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(failed.is_none(), "{}", failed.unwrap());
    });
}
