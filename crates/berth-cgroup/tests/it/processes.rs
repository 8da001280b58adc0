//! Freezing, killing, counting, and running out of memory.

use std::os::fd::AsFd;

use berth_cgroup::Freezer;
use rustix::event::{PollFd, Timespec, poll};
use rustix::process::Signal;
use serde_json::json;

use crate::host::{Host, Inside, eventually, resources};

/// A shell that keeps forking.
const FORKING: &str = "while :; do (sleep 0.01 & wait) & wait; done";

#[test]
fn a_forking_cgroup_freezes_and_goes_on() {
    let Some(host) = Host::with("processes::a_forking_cgroup_freezes_and_goes_on", &["freezer"]) else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let _inside: Vec<_> = (0..4).map(|_| Inside::run(&cgroup, FORKING)).collect();
    for _ in 0..20 {
        cgroup.freeze().unwrap();
        assert_eq!(cgroup.freezer().unwrap(), Freezer::Frozen);
        let mut before = cgroup.pids().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(15));
        let mut after = cgroup.pids().unwrap();
        before.sort_unstable();
        after.sort_unstable();
        assert_eq!(before, after);
        cgroup.thaw().unwrap();
        assert_eq!(cgroup.freezer().unwrap(), Freezer::Thawed);
    }
    cgroup.kill_all(Signal::KILL).unwrap();
    drop(_inside);
    cgroup.remove().unwrap();
}

#[test]
fn kill_reaches_the_frozen_and_the_forking() {
    let Some(host) = Host::with("processes::kill_reaches_the_frozen_and_the_forking", &["freezer"]) else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let mut inside: Vec<_> = (0..4).map(|_| Inside::run(&cgroup, FORKING)).collect();
    cgroup.freeze().unwrap();
    cgroup.kill_all(Signal::KILL).unwrap();
    for one in &mut inside {
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&one.0.wait().unwrap()), Some(9));
    }
    eventually("all are gone", || cgroup.pids().is_ok_and(|pids| pids.is_empty()));
    assert_eq!(cgroup.freezer().unwrap(), Freezer::Thawed);
    cgroup.remove().unwrap();
}

#[test]
fn a_paused_cgroup_stays_paused_under_other_signals() {
    let Some(host) = Host::with("processes::a_paused_cgroup_stays_paused", &["freezer"]) else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let mut inside = Inside::run(&cgroup, "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    let mut ready = [0; 6];
    std::io::Read::read_exact(inside.0.stdout.as_mut().unwrap(), &mut ready).unwrap();
    cgroup.freeze().unwrap();
    cgroup.kill_all(Signal::TERM).unwrap();
    assert_eq!(cgroup.freezer().unwrap(), Freezer::Frozen);
    cgroup.thaw().unwrap();
    assert_eq!(inside.0.wait().unwrap().code(), Some(7));
    eventually("all are gone", || cgroup.pids().is_ok_and(|pids| pids.is_empty()));
    cgroup.remove().unwrap();
}

#[test]
fn sub_groups_count_and_die_too() {
    let Some(host) = Host::with("processes::sub_groups_count_and_die_too", &["freezer"]) else { return };
    let cgroup = host.create(&resources(json!({}))).unwrap();
    let mut inside = Inside::run(&cgroup, "sleep 100");
    for (controllers, path) in cgroup.directories() {
        // A new cpuset has no CPUs to run on.
        if !controllers.iter().any(|name| name == "cpuset") {
            std::fs::create_dir(path.join("below")).unwrap();
            std::fs::write(path.join("below/cgroup.procs"), inside.0.id().to_string()).unwrap();
        }
    }
    assert!(cgroup.pids().unwrap().contains(&inside.0.id().cast_signed()));
    cgroup.kill_all(Signal::KILL).unwrap();
    inside.0.wait().unwrap();
    cgroup.remove().unwrap();
}

#[test]
fn out_of_memory_is_told() {
    let Some(host) = Host::with("processes::out_of_memory_is_told", &["memory"]) else { return };
    let cgroup = host.create(&resources(json!({"memory": {"limit": 8 << 20, "swap": 8 << 20}}))).unwrap();
    let watch = cgroup.oom_watch().unwrap();
    let readable = |tv_sec: i64| {
        let timeout = Timespec { tv_sec, tv_nsec: 0 };
        poll(&mut [PollFd::new(&watch.as_fd(), watch.readiness())], Some(&timeout)).unwrap() == 1
    };
    assert_eq!(cgroup.oom_kills().unwrap(), 0);
    assert!(!readable(0));
    let (_, code) = Inside::run(&cgroup, "exec tail /dev/zero").finish();
    assert_eq!(code, None, "killed");
    assert!(readable(120));
    watch.drain().unwrap();
    assert!(!readable(0));
    assert_eq!(cgroup.oom_kills().unwrap(), 1);
    assert_eq!(cgroup.stats().unwrap().memory.unwrap().oom_kills, 1);
    drop(watch);
    cgroup.remove().unwrap();
}

#[test]
fn figures_grow() {
    let Some(host) = Host::with("processes::figures_grow", &["cpu", "memory", "pids"]) else { return };
    let cgroup = host.create(&resources(json!({"cpu": {"quota": 20000, "period": 100_000}}))).unwrap();
    let mut inside = Inside::run(&cgroup, "x=$(head -c 2000000 /dev/zero | tr '\\0' x); while :; do :; done");
    eventually("memory and throttling", || {
        let stats = cgroup.stats().unwrap();
        stats.memory.unwrap().usage > 1 << 20 && stats.cpu.unwrap().throttled_time > 0
    });
    let stats = cgroup.stats().unwrap();
    let (cpu, memory) = (stats.cpu.unwrap(), stats.memory.unwrap());
    assert!(cpu.total > 1_000_000, "{cpu:?}");
    assert!(cpu.periods > 0 && cpu.throttled_periods > 0, "{cpu:?}");
    assert!(!memory.stat.is_empty());
    assert!(stats.pids.unwrap().current >= 1);
    if !cgroup.is_unified() {
        assert!(!cpu.per_cpu.is_empty());
        assert!(memory.hierarchical);
    }
    inside.0.kill().unwrap();
    drop(inside);
    cgroup.remove().unwrap();
}
