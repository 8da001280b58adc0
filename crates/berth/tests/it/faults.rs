//! Each step of create, start, exec and remove made to fail in turn, and the daemon made to die there: what was not
//! acknowledged leaves no half container and nothing else behind, and doing it again works.

use std::path::Path;

use crate::host::{Cli, Host, Wishes, until};

fn with_fault(step: &str, kind: &str) -> Host {
    let environment = vec![("BERTH_FAULT", format!("{step}={kind}"))];
    Host::start_as(Cli::Ours, Wishes { environment, ..Wishes::default() })
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

fn status(host: &Host, name: &str) -> String {
    host.inspect(name, "{{.State.Status}}")
}

/// As many containers on disk as there are, and nothing in the trash.
fn nothing_half(host: &Host) {
    let data = host.daemon().data_root();
    let there = host.run(&["ps", "-aq"]).lines().count();
    until("containers and their files are as many", || entries(&data.join("containers")) == there);
    until("the trash is empty", || entries(&data.join("trash")) == 0);
}

/// From nothing to a container that runs, does what it is told and is removed.
fn whole_life(host: &Host, image: &str, name: &str) {
    if !host.try_run(&["inspect", name]).ok() {
        host.run(&["create", "--name", name, image, "sleep", "300"]);
    }
    until("what was killed has ended", || {
        host.run(&["start", name]);
        host.try_run(&["exec", name, "true"]).ok()
    });
    assert_eq!(host.run(&["exec", name, "echo", "inside"]), "inside");
    host.run(&["rm", "-f", name]);
    nothing_half(host);
    assert_eq!(host.run(&["ps", "-aq"]), "");
}

/// The command of each family at whose step something goes wrong, after what it needs.
fn provoke(host: &Host, step: &str, image: &str, name: &str) -> bool {
    let create = ["create", "--name", name, image, "sleep", "300"];
    let family = step.split('.').next().unwrap();
    if family == "create" {
        return host.try_run(&create).ok();
    }
    // A shim may be made ready by create: then the fault is there already, and create is none the worse.
    let created = host.try_run(&create);
    if !created.ok() {
        return false;
    }
    match family {
        "start" => host.try_run(&["start", name]).ok(),
        "exec" => {
            host.run(&["start", name]);
            host.try_run(&["exec", name, "true"]).ok()
        }
        _ => host.try_run(&["rm", name]).ok(),
    }
}

fn fails_at(step: &str) {
    let host = with_fault(step, "fail");
    let (image, name) = (host.image(), host.name("fault"));
    let done = provoke(&host, step, &image, &name);
    // What create makes ready for a start that may come is tried again by the start.
    assert_eq!(done, matches!(step, "start.shim" | "start.mount"), "{step}");
    match step.split('.').next().unwrap() {
        "create" => assert_eq!(host.run(&["ps", "-aq"]), "", "{step}"),
        "exec" => assert_eq!(status(&host, &name), "running", "{step}"),
        // One that was born is killed again, which takes a moment.
        "start" if !done => until("it does not run", || status(&host, &name) != "running"),
        _ => {}
    }
    if step == "remove.asked" {
        assert_eq!(status(&host, &name), "created", "nothing was done");
    }
    if step == "remove.forgotten" {
        assert_eq!(status(&host, &name), "dead", "its files are there");
        host.run(&["rm", &name]);
    }
    nothing_half(&host);
    whole_life(&host, &image, &name);
}

fn dies_at(step: &str) {
    let mut host = with_fault(step, "die");
    let (image, name) = (host.image(), host.name("fault"));
    assert!(!provoke(&host, step, &image, &name), "{step}");
    host.wish_for_nothing();
    host.kill_daemon_and_restart();
    nothing_half(&host);
    whole_life(&host, &image, &name);
}

/// A test for each step and each kind of fault.
macro_rules! faults {
    ($($name:ident $step:literal),+ $(,)?) => {
        mod fails {
            $(#[test] fn $name() { super::fails_at($step); })+
        }
        mod dies {
            $(#[test] fn $name() { super::dies_at($step); })+
        }
    };
}

faults![
    create_reserved "create.reserved",
    create_files "create.files",
    create_recorded "create.recorded",
    start_shim "start.shim",
    start_mount "start.mount",
    start_network "start.network",
    start_planned "start.planned",
    start_launched "start.launched",
    start_recorded "start.recorded",
    exec_planned "exec.planned",
    remove_asked "remove.asked",
    remove_forgotten "remove.forgotten",
];
