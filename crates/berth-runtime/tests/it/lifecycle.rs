//! From `create` to `delete`.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bundle::{Bundle, cgroups_named, ours};

/// Waits for something to become true.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn run_gives_output_and_exit_code() {
    let bundle = Bundle::new("echo hello; exit 7");
    let done = bundle.run();
    assert_eq!((done.code, done.out.as_str()), (7, "hello\n"));
}

#[test]
fn a_container_goes_through_its_states() {
    let bundle = Bundle::new("echo started; exec sleep 1000");
    bundle.create().ok();
    let state = bundle.state();
    assert_eq!(state["status"], "created");
    assert_eq!(bundle.output(), "", "the program does not run before start");
    bundle.command(&["start", &bundle.id]).ok();
    until("it runs", || bundle.output() == "started\n");
    let state = bundle.state();
    assert_eq!((&state["status"], &state["id"]), (&json!("running"), &json!(bundle.id)));
    bundle.command(&["start", &bundle.id]).failed();
    bundle.command(&["delete", &bundle.id]).failed();
    bundle.command(&["pause", &bundle.id]).ok();
    assert_eq!(bundle.state()["status"], "paused");
    bundle.exec("true").failed();
    bundle.command(&["resume", &bundle.id]).ok();
    bundle.command(&["kill", &bundle.id, "KILL"]).ok();
    until("it stops", || bundle.state()["status"] == "stopped");
    let sentence = bundle.command(&["kill", &bundle.id, "KILL"]).failed();
    if ours() {
        assert!(sentence.contains("container not running"), "{sentence}");
    }
    bundle.command(&["delete", &bundle.id]).ok();
    let sentence = bundle.command(&["state", &bundle.id]).failed();
    assert!(sentence.contains("does not exist"), "{sentence}");
}

#[test]
fn killing_a_paused_container_ends_it() {
    let bundle = Bundle::new("exec sleep 1000");
    bundle.start();
    bundle.command(&["pause", &bundle.id]).ok();
    bundle.command(&["delete", "--force", &bundle.id]).ok();
}

#[test]
fn an_id_is_taken_once() {
    let bundle = Bundle::new("exec sleep 1000");
    bundle.start();
    let sentence = bundle.create().failed();
    assert!(sentence.contains("exist"), "{sentence}");
    assert_eq!(bundle.state()["status"], "running");
}

#[test]
fn ids_cannot_leave_the_state_directory() {
    let bundle = Bundle::new("true");
    bundle.write();
    for id in ["../x", "a/b", "..", ""] {
        bundle.command(&["run", "--bundle", bundle.directory.to_str().unwrap(), id]).failed();
    }
}

#[test]
fn a_failed_creation_leaves_nothing() {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["nosuchcmd"]);
    let sentence = bundle.create().failed();
    assert!(sentence.contains("exec: \"nosuchcmd\": executable file not found in $PATH"), "{sentence}");
    assert!(cgroups_named(&bundle.id).is_empty());
    bundle.command(&["state", &bundle.id]).failed();
}

#[test]
fn the_log_is_what_callers_read() {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(["/etc/passwd"]);
    bundle.write();
    let log = bundle.directory.join("log");
    let path = bundle.directory.to_str().unwrap();
    let words = ["--log", log.to_str().unwrap(), "--log-format", "json", "run", "--bundle", path, &bundle.id];
    bundle.command(&words).failed();
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.iter().rfind(|line| line["level"] == "error").unwrap();
    assert!(last["msg"].as_str().unwrap().contains("permission denied"), "{last}");
}

#[test]
fn the_pid_file_names_the_init() {
    let bundle = Bundle::new("exec sleep 1000");
    bundle.write();
    let (path, file) = (bundle.directory.to_str().unwrap(), bundle.directory.join("pid"));
    let words = ["run", "-d", "--pid-file", file.to_str().unwrap(), "-b", path, &bundle.id];
    // The container keeps what it inherits: a pipe of ours would never end.
    let mut run = bundle.prepared(&words);
    run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(run.status().unwrap().success());
    let pid: i64 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    assert_eq!(bundle.state()["pid"], pid);
}

#[test]
fn limits_are_set_and_changed() {
    let mut bundle = Bundle::new("exec sleep 1000");
    bundle.config["linux"]["resources"] = json!({ "memory": { "limit": 67_108_864 }, "pids": { "limit": 50 } });
    bundle.start();
    let limit = |name: &str| {
        let groups = cgroups_named(&bundle.id);
        groups.iter().find_map(|group| fs::read_to_string(group.join(name)).ok()).map(|text| text.trim().to_owned())
    };
    let memory = || limit("memory.limit_in_bytes").or_else(|| limit("memory.max")).unwrap();
    assert_eq!((memory(), limit("pids.max").unwrap()), ("67108864".to_owned(), "50".to_owned()));
    bundle.command(&["update", "--memory", "33554432", "--pids-limit", "20", &bundle.id]).ok();
    assert_eq!((memory(), limit("pids.max").unwrap()), ("33554432".to_owned(), "20".to_owned()));
    let stats: serde_json::Value =
        serde_json::from_str(&bundle.command(&["events", "--stats", &bundle.id]).ok()).unwrap();
    assert_eq!((&stats["type"], &stats["data"]["pids"]["current"]), (&json!("stats"), &json!(1)));
}

#[test]
fn ps_and_list_show_what_runs() {
    let bundle = Bundle::new("exec sleep 1000");
    bundle.start();
    let pid = bundle.state()["pid"].clone();
    let pids: serde_json::Value =
        serde_json::from_str(&bundle.command(&["ps", "--format", "json", &bundle.id]).ok()).unwrap();
    assert_eq!(pids, json!([pid]));
    assert!(bundle.command(&["ps", &bundle.id]).ok().contains("sleep 1000"));
    let all: serde_json::Value = serde_json::from_str(&bundle.command(&["list", "--format", "json"]).ok()).unwrap();
    assert_eq!(all[0]["id"], json!(bundle.id));
}

#[test]
fn a_pids_limit_of_one_stops_the_fork_and_nothing_else() {
    let mut bundle = Bundle::new("echo first; (true); echo never");
    bundle.config["linux"]["resources"] = json!({ "pids": { "limit": 1 } });
    let done = bundle.run();
    assert_ne!(done.code, 0);
    assert_eq!(done.out, "first\n");
}
