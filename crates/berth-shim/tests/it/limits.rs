//! Containers at their limits, and the shim unharmed.

use berth_shim::protocol::{Request, Response, Signal, StdioPlan, Update};
use serde_json::json;

use crate::stage::{OUTPUT, Stage, eventually, read_all, unframe};

fn limited(args: &[&str], resources: serde_json::Value) -> Stage {
    Stage::with(args, StdioPlan::default(), |spec| spec["linux"]["resources"] = resources)
}

#[test]
fn running_out_of_memory_is_told() {
    // A shell variable that doubles until there is no more.
    let script = "x=0123456789; while :; do x=$x$x; done";
    let container = limited(&["sh", "-c", script], json!({"memory": {"limit": 16 << 20}})).start();
    let record = container.end();
    assert_eq!((record.code, record.oom_killed), (137, true));
}

#[test]
fn one_process_is_enough_for_a_container_limited_to_one() {
    let mut stage = limited(&["sh", "-c", "sleep 1 & echo unreachable"], json!({"pids": {"limit": 1}}));
    let mut client = stage.attach(OUTPUT);
    let container = stage.start();
    let [out, err] = unframe(&read_all(&mut client));
    assert!(out.is_empty() && String::from_utf8_lossy(&err).contains("can't fork"), "{out:?} {err:?}");
    let record = container.end();
    assert_ne!(record.code, 0);
    assert!(!record.oom_killed);
}

#[test]
fn limits_change_and_figures_are_told() {
    let mut container = limited(&["sleep", "100"], json!({"memory": {"limit": 64 << 20}})).start();
    let resources = serde_json::from_value(json!({"memory": {"limit": 32 << 20}})).unwrap();
    container.done(Request::Update(Box::new(Update { resources })));
    let Response::Stats(stats) = container.call(Request::Stats {}) else { panic!() };
    assert_eq!(stats["memory"]["limit"], json!(32 << 20));
    let Response::Processes(pids) = container.call(Request::Processes {}) else { panic!() };
    assert_eq!(pids, [container.launched.pid]);
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    container.end();
}

#[test]
fn the_shim_is_outside_its_containers_cgroup() {
    let mut container = limited(&["sleep", "100"], json!({})).start();
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", container.shim)).unwrap();
    assert!(!groups.contains(&container.id), "{groups}");
    let inside = std::fs::read_to_string(format!("/proc/{}/cgroup", container.launched.pid)).unwrap();
    assert!(inside.contains(&container.id), "{inside}");
    eventually("its score is set", || {
        let score = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", container.shim)).unwrap();
        score.trim() == "-999" || score.trim() == "0"
    });
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    container.end();
}
