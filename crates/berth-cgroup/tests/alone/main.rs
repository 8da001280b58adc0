//! What can only be tested in a process with a single thread: being born into a cgroup, and systemd's scopes, which
//! need a placeholder. A program of its own, without the harness and its threads.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::{AsFd, OwnedFd};

use berth_cgroup::{Cgroup, Driver, Hierarchy, Mode, Options};
use berth_sys::clone::{Birth, clone_process};
use oci_spec::runtime::LinuxResources;
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use serde_json::{Value, json};

fn main() {
    for (name, test) in [
        ("alone::a_process_is_cloned_into_its_cgroup", cloned as fn(&'static str)),
        ("alone::systemd_makes_a_scope", systemd),
        ("alone::a_scope_for_one_process", one_process),
    ] {
        test(name);
        println!("test {name} ... ok");
    }
}

fn resources(json: Value) -> LinuxResources {
    serde_json::from_value(json).unwrap()
}

/// The cgroup v2 hierarchy, or the reason to skip.
fn v2(test: &str) -> Option<Hierarchy> {
    let hierarchy = Hierarchy::detect().ok().filter(|hierarchy| hierarchy.mode() == Mode::V2);
    if hierarchy.is_none() {
        eprintln!("skipped: {test}: this host has no cgroup v2");
    }
    hierarchy
}

/// A process born in the cgroup, which ends when there is something to read and says with exit status 0 that it was
/// there.
fn born(cgroup: &Cgroup, path: &str, end: &OwnedFd) -> OwnedFd {
    let entrance = cgroup.entrance().unwrap();
    let birth = Birth { cgroup: entrance.directory.as_ref().map(AsFd::as_fd), ..Birth::default() };
    let inside = || {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let _ = rustix::io::read(end, &mut [0; 1]);
        i32::from(!own.trim_end().ends_with(path))
    };
    clone_process(&birth, inside).unwrap().1
}

fn exit_status(pidfd: &OwnedFd) -> Option<i32> {
    waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap().exit_status()
}

fn cloned(test: &'static str) {
    let Some(hierarchy) = v2(test) else { return };
    let path = format!("/berth-test-{}", std::process::id());
    let cgroup = Cgroup::create(&hierarchy, &path, &resources(json!({"pids": {"limit": 1}}))).unwrap();
    let (end, ends) = rustix::pipe::pipe().unwrap();
    let child = born(&cgroup, &path, &end);
    assert_eq!(cgroup.pids().unwrap().len(), 1);
    rustix::io::write(&ends, b"!").unwrap();
    assert_eq!(exit_status(&child), Some(0));
    cgroup.remove().unwrap();
}

fn show(unit: &str, property: &str) -> String {
    let output =
        std::process::Command::new("systemctl").args(["show", "--value", "-p", property, unit]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The cgroup v2 hierarchy where systemd can be asked, or the reason to skip.
fn v2_with_systemd(test: &str) -> Option<Hierarchy> {
    if !std::path::Path::new("/run/systemd/system").exists() {
        eprintln!("skipped: {test}: systemd does not run here");
        return None;
    }
    if !cfg!(feature = "systemd") {
        eprintln!("skipped: {test}: built without the feature systemd");
        return None;
    }
    v2(test)
}

/// The placeholder must not stand in the way of the one process there may be.
fn one_process(test: &'static str) {
    let Some(hierarchy) = v2_with_systemd(test) else { return };
    let options = Options { driver: Driver::Systemd, lenient: false };
    let name = format!("o{}", std::process::id());
    let asked = resources(json!({"pids": {"limit": 1}}));
    let cgroup = Cgroup::create_with(&hierarchy, &format!(":berthtest:{name}"), &asked, &options).unwrap().cgroup;
    let unit = format!("berthtest-{name}.scope");
    let (end, _never) = rustix::pipe::pipe().unwrap();
    let child = born(&cgroup, &format!("/system.slice/{unit}"), &end);
    cgroup.settle().unwrap();
    assert_eq!(show(&unit, "TasksMax"), "1");
    let told = std::fs::read_to_string(cgroup.directory("pids").unwrap().join("pids.max")).unwrap();
    assert_eq!(told.trim(), "1");
    cgroup.kill_all(Signal::KILL).unwrap();
    let _ = exit_status(&child);
    cgroup.remove().unwrap();
    assert!(!cgroup.exists());
}

fn systemd(test: &'static str) {
    let Some(hierarchy) = v2_with_systemd(test) else { return };
    let name = format!("t{}", std::process::id());
    let unit = format!("berthtest-{name}.scope");
    let asked = resources(json!({
        "memory": {"limit": 64 << 20}, "cpu": {"shares": 1024, "quota": 50000, "period": 100_000}, "pids": {"limit": 50},
    }));
    let options = Options { driver: Driver::Systemd, lenient: false };
    let made = Cgroup::create_with(&hierarchy, &format!("system.slice:berthtest:{name}"), &asked, &options).unwrap();
    let cgroup = made.cgroup;
    let path = format!("/system.slice/{unit}");
    assert!(cgroup.directory("memory").unwrap().ends_with(&path[1..]));
    let (end, _never) = rustix::pipe::pipe().unwrap();
    let child = born(&cgroup, &path, &end);
    cgroup.settle().unwrap();
    assert_eq!(cgroup.pids().unwrap().len(), 1, "the placeholder is gone");
    assert_eq!(show(&unit, "ActiveState"), "active");
    assert_eq!(show(&unit, "Delegate"), "yes");
    assert_eq!(show(&unit, "MemoryMax"), (64 << 20).to_string());
    assert_eq!(show(&unit, "TasksMax"), "50");
    cgroup.update(&resources(json!({"memory": {"limit": 128 << 20}, "pids": {"limit": 60}}))).unwrap();
    assert_eq!(show(&unit, "MemoryMax"), (128 << 20).to_string());
    assert_eq!(show(&unit, "TasksMax"), "60");
    let told = std::fs::read_to_string(cgroup.directory("pids").unwrap().join("pids.max")).unwrap();
    assert_eq!(told.trim(), "60");
    cgroup.kill_all(Signal::KILL).unwrap();
    let _ = exit_status(&child);
    cgroup.remove().unwrap();
    assert!(!cgroup.exists());
    assert_ne!(show(&unit, "ActiveState"), "active");
    let again: Cgroup = serde_json::from_str(&serde_json::to_string(&cgroup).unwrap()).unwrap();
    again.remove().unwrap();
    let wrong = Cgroup::create_with(&hierarchy, "/berth/x", &asked, &options).unwrap_err().to_string();
    assert!(wrong.contains("slice:prefix:name"), "{wrong}");
}
