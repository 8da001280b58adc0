//! Hooks: all six, in order, with the state on standard input.

use std::fs;

use serde_json::{Value, json};

use crate::bundle::{Bundle, ours};
use crate::lifecycle::until;

/// A hook that appends its name and the state it is told to `log`.
fn hook(name: &str, log: &str) -> Value {
    json!([{ "path": "/bin/sh", "args": ["sh", "-c", format!("read -r s; echo \"{name} $s $WORD\" >> {log}")], "env": ["PATH=/bin:/usr/bin", "WORD=word"] }])
}

#[test]
fn all_six_run_in_order_with_the_state() {
    if !ours() {
        eprintln!("skipped: runc 1.1 runs poststart hooks at creation");
        return;
    }
    let mut bundle = Bundle::new("exec sleep 1000");
    let log = bundle.directory.join("log").display().to_string();
    bundle.config["annotations"] = json!({ "a": "b" });
    bundle.config["hooks"] = json!({
        "prestart": hook("prestart", &log),
        "createRuntime": hook("createRuntime", &log),
        "createContainer": hook("createContainer", &log),
        "startContainer": hook("startContainer", "/tmp/log"),
        "poststart": hook("poststart", &log),
        "poststop": hook("poststop", &log),
    });
    let entries = || -> Vec<(String, Value)> {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let read = |line: &str| {
            let (name, rest) = line.split_once(' ').unwrap();
            let state = rest.strip_suffix(" word").expect("the hook has its environment");
            (name.to_owned(), serde_json::from_str(state).unwrap())
        };
        text.lines().map(read).collect()
    };
    let names = || entries().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    bundle.create().ok();
    assert_eq!(names(), ["prestart", "createRuntime", "createContainer"]);
    let pid = bundle.state()["pid"].clone();
    let (_, state) = &entries()[0];
    assert_eq!((&state["pid"], &state["id"], &state["annotations"]["a"]), (&pid, &json!(bundle.id), &json!("b")));
    assert_eq!(state["bundle"], json!(bundle.directory));
    bundle.command(&["start", &bundle.id]).ok();
    until("startContainer ran", || bundle.root().join("tmp/log").exists());
    assert_eq!(names().last().unwrap(), "poststart");
    assert_eq!(entries().last().unwrap().1["status"], "running");
    bundle.command(&["delete", "--force", &bundle.id]).ok();
    assert_eq!(names().last().unwrap(), "poststop");
    assert_eq!(entries().last().unwrap().1["status"], "stopped");
}

#[test]
fn a_failing_hook_stops_the_creation() {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let mut bundle = Bundle::new("true");
        bundle.config["hooks"] =
            json!({ kind: [{ "path": "/bin/sh", "args": ["sh", "-c", "echo because >&2; exit 3"] }] });
        let said = bundle.create().failed();
        assert!(said.contains("because"), "{said}");
        bundle.command(&["state", &bundle.id]).failed();
    }
}

#[test]
fn a_hook_that_hangs_is_ended_at_its_timeout() {
    let mut bundle = Bundle::new("true");
    bundle.config["hooks"] =
        json!({ "createRuntime": [{ "path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1 }] });
    bundle.create().failed();
}
