//! How containers end, and who is told: wait, memory that runs out, a host that goes down.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::host::{BERTH, Cli, Host, until};

rows![killed_for_want_of_memory, want_of_memory_is_told_at_once, stop_events_in_order];

const LONG: Duration = Duration::from_secs(60);

fn killed_for_want_of_memory(host: &Host) {
    let (image, name) = (host.image(), host.name("oom"));
    let script = "exec tail -c 200m /dev/zero";
    let done = host.try_run(&["run", "--memory", "16m", "--name", &name, &image, "sh", "-c", script]);
    assert_eq!(done.code, 137, "{}", done.err);
    assert_eq!(host.inspect(&name, "{{.State.OOMKilled}} {{.State.ExitCode}}"), "true 137");
    let events = ["events", "--since", "0", "--until", &now(), "--filter", &format!("container={name}")];
    let events = host.run(&[&events[..], &["--format", "{{.Action}}"]].concat());
    let tail: Vec<&str> = events.lines().filter(|line| matches!(*line, "start" | "oom" | "die")).collect();
    assert_eq!(tail, ["start", "oom", "die"], "{events}");
    host.run(&["start", &name]);
    until("it is killed again", || host.inspect(&name, "{{.State.Status}}") == "exited");
}

/// Not only at the end: the container goes on after one of its processes was killed.
fn want_of_memory_is_told_at_once(host: &Host) {
    let (image, name) = (host.image(), host.name("oom"));
    let script = "sh -c 'exec tail -c 200m /dev/zero'; exec sleep 300";
    host.run(&["run", "-d", "--memory", "16m", "--name", &name, &image, "sh", "-c", script]);
    let told = || {
        let events = ["events", "--since", "0", "--until", &now(), "--filter", &format!("container={name}")];
        let events = host.run(&[&events[..], &["--format", "{{.Action}}"]].concat());
        events.lines().filter(|line| matches!(*line, "start" | "oom" | "die")).map(str::to_owned).collect::<Vec<_>>()
    };
    until("it is told", || told().contains(&"oom".to_owned()));
    assert_eq!(told(), ["start", "oom"]);
    assert_eq!(host.inspect(&name, "{{.State.Status}}"), "running");
    host.run(&["kill", &name]);
    until("it has ended", || told().contains(&"die".to_owned()));
    assert_eq!(told(), ["start", "oom", "die"]);
}

fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{}.{:09}", since.as_secs(), since.subsec_nanos())
}

fn stop_events_in_order(host: &Host) {
    let (image, name) = (host.image(), host.name("events"));
    host.run(&["run", "-d", "--restart", "always", "--name", &name, &image, "sleep", "300"]);
    host.run(&["stop", "-t", "0", &name]);
    host.run(&["rm", &name]);
    let events = ["events", "--since", "0", "--until", &now(), "--filter", &format!("container={name}")];
    let events = host.run(&[&events[..], &["--format", "{{.Action}}"]].concat());
    let ours: Vec<&str> =
        events.lines().filter(|line| ["create", "start", "kill", "die", "stop", "destroy"].contains(line)).collect();
    assert_eq!(ours, ["create", "start", "kill", "kill", "die", "stop", "destroy"], "{events}");
}

/// A request of the API whose head has been answered; what follows can be read.
fn post(host: &Host, path: &str) -> (String, UnixStream) {
    let socket = host.address().strip_prefix("unix://").unwrap();
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

fn rest(mut stream: UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The head of the answer comes before the container ends, whatever is waited for.
#[test]
fn wait_conditions() {
    let host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("wait"));
    host.run(&["create", "--name", &name, &image, "sh", "-c", "exit 7"]);
    let wait = |condition: &str| post(&host, &format!("/containers/{name}/wait?condition={condition}"));
    let (head, body) = wait("not-running");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(rest(body).contains(r#""StatusCode":0"#), "it does not run: at once");
    let ((next, next_body), (removed, removed_body)) = (wait("next-exit"), wait("removed"));
    assert!(next.starts_with("HTTP/1.1 200 ") && removed.starts_with("HTTP/1.1 200 "), "{next}{removed}");
    host.run(&["start", &name]);
    assert!(rest(next_body).contains(r#""StatusCode":7"#));
    until("it has ended", || host.inspect(&name, "{{.State.Status}}") == "exited");
    host.run(&["rm", &name]);
    assert!(rest(removed_body).contains(r#""StatusCode":7"#));
    let (head, _) = wait("not-running");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) = post(&host, &format!("/containers/{name}/wait?condition=asleep"));
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

/// `system stop-all`: each container ends within its own time, no policy fires, and the next daemon starts what its
/// policy says.
#[test]
fn the_host_goes_down_in_order() {
    let mut host = Host::start(Cli::Ours);
    let image = host.image();
    let polite = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
    let make = |name: &str, options: &[&str], script: &str| {
        host.run(&[&["run", "-d", "--name", name], options, &[image.as_str(), "sh", "-c", script]].concat());
    };
    make("polite", &["--restart", "always"], polite);
    make(
        "deaf",
        &["--restart", "unless-stopped", "--stop-timeout", "1"],
        "trap '' TERM; echo ready; sleep 3000 & wait",
    );
    make("interrupted", &["--stop-signal", "INT"], "trap 'exit 6' INT; echo ready; while :; do sleep 0.05; done");
    make("temporary", &["--rm"], polite);
    make("failing", &["--restart", "always"], "echo ready; exit 1");
    for name in ["polite", "deaf", "interrupted", "temporary", "failing"] {
        until("it is ready", || host.run(&["logs", name]).contains("ready"));
    }
    let done = std::process::Command::new(BERTH).args(["-H", host.address(), "system", "stop-all"]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(done.stdout).unwrap();
    for name in ["polite", "deaf", "interrupted", "temporary", "failing"] {
        assert!(said.lines().any(|line| line == name), "{name} is not in {said}");
    }
    let state = |host: &Host, name: &str| host.inspect(name, "{{.State.Status}} {{.State.ExitCode}}");
    assert_eq!(state(&host, "polite"), "exited 0");
    assert_eq!(state(&host, "deaf"), "exited 137");
    assert_eq!(state(&host, "interrupted"), "exited 6");
    assert_eq!(state(&host, "failing"), "exited 1");
    assert!(host.run(&["logs", "polite"]).ends_with("bye"));
    until("--rm is kept", || !host.try_run(&["inspect", "temporary"]).ok());
    host.stop_daemon();
    host.restart_daemon();
    for name in ["polite", "deaf"] {
        until("its policy starts it", || state(&host, name) == "running 0");
    }
    assert_eq!(state(&host, "interrupted"), "exited 6");
}
