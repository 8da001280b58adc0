//! Events: which there are, what they say, and which a filter leaves.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::host::{Cli, Host, until};

rows![events_of_a_life, events_of_a_failed_start, events_filters, events_in_every_form_of_time];

/// What has happened so far, a line each.
fn past(host: &Host, flags: &[&str]) -> Vec<String> {
    let now = now();
    let fixed = ["events", "--since", "1h", "--until", &now];
    host.run(&[&fixed[..], flags].concat()).lines().map(str::to_owned).collect()
}

/// To the nanosecond: of a duration the command lines make whole seconds.
fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// Type, action and attributes of everything that bears the container's id.
fn story(host: &Host, id: &str) -> Vec<(String, String)> {
    let format = "{{.Type}} {{.Action}}\t{{.Actor.ID}}\t{{json .Actor.Attributes}}";
    let lines = past(host, &["--format", format]);
    let parts = lines.iter().filter(|line| line.contains(id)).map(|line| line.split('\t').collect::<Vec<_>>());
    parts.map(|parts| (parts[0].to_owned(), parts[2].to_owned())).collect()
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn events_of_a_life(host: &Host) {
    let (image, name, other) = (host.image(), host.name("life"), host.name("renamed"));
    host.run(&["create", "--name", &name, "-l", "x=y", &image, "sleep", "300"]);
    let id = host.inspect(&name, "{{.Id}}");
    host.run(&["start", &name]);
    host.run(&["exec", &name, "sh", "-c", "exit 0"]);
    until("the command is over", || story(host, &id).iter().any(|(what, _)| what == "container exec_die"));
    host.run(&["pause", &name]);
    host.run(&["unpause", &name]);
    rename(host, &name, &other);
    host.run(&["top", &other]);
    host.run(&["update", "--cpu-shares", "512", &other]);
    host.run(&["restart", "-t", "0", &other]);
    host.run(&["kill", "-s", "KILL", &other]);
    until("its end is told", || story(host, &id).iter().filter(|(what, _)| what == "network disconnect").count() == 2);
    host.run(&["rm", &other]);
    let story = story(host, &id);
    let told: Vec<&str> = story.iter().map(|(what, _)| what.as_str()).collect();
    let expected = [
        "container create",
        "network connect",
        "container start",
        "container exec_create: sh -c exit 0",
        "container exec_start: sh -c exit 0",
        "container exec_die",
        "container pause",
        "container unpause",
        "container rename",
        "container top",
        "container update",
        "container kill",
        "container kill",
        "container die",
        "network disconnect",
        "container stop",
        "network connect",
        "container start",
        "container restart",
        "container kill",
        "container die",
        "network disconnect",
        "container destroy",
    ];
    assert_eq!(told, expected);
    let says = |what: &str, text: &str| {
        let found = story.iter().filter(|(told, _)| told == what).any(|(_, attributes)| attributes.contains(text));
        assert!(found, "{what} does not say {text}: {story:#?}");
    };
    for text in [format!(r#""image":"{image}""#), format!(r#""name":"{name}""#), r#""x":"y""#.to_owned()] {
        says("container create", &text);
    }
    says("container rename", &format!(r#""name":"{other}","oldName":"/{name}""#));
    says("container exec_die", r#""exitCode":"0""#);
    says("container exec_create: sh -c exit 0", r#""execID":""#);
    says("container kill", r#""signal":"15""#);
    says("container kill", r#""signal":"9""#);
    says("container die", r#""exitCode":"137""#);
    says("network connect", &format!(r#"{{"container":"{id}","name":"bridge","type":"bridge"}}"#));
    if host.is_berth() {
        says("container die", r#""execDuration":""#);
    }
}

fn events_of_a_failed_start(host: &Host) {
    let (image, name) = (host.image(), host.name("failed"));
    assert_eq!(host.try_run(&["run", "--name", &name, &image, "/nosuch"]).code, 127);
    let id = host.inspect(&name, "{{.Id}}");
    let story = story(host, &id);
    let told: Vec<&str> = story.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(told, ["container create", "container attach", "network connect", "network disconnect"]);
}

fn events_filters(host: &Host) {
    let (image, one, two) = (host.image(), host.name("one"), host.name("two"));
    for name in [&one, &two] {
        host.run(&["run", "--name", name, "-l", &format!("mark={name}"), &image, "true"]);
        until("its end is told", || {
            past(host, &["--filter", &format!("container={name}"), "--filter", "event=die"]).len() == 1
        });
    }
    let actions = |filters: &[&str]| {
        let flags = filters.iter().flat_map(|filter| ["--filter", filter]).collect::<Vec<_>>();
        let mut lines = past(host, &[&flags[..], &["--format", "{{.Action}}"]].concat());
        // A client that has attached may be told before or after the start.
        lines.retain(|action| action != "attach");
        lines
    };
    let id = host.inspect(&one, "{{.Id}}");
    let life = ["create", "start", "die"];
    assert_eq!(actions(&[&format!("container={one}")]), life);
    assert_eq!(actions(&[&format!("container={id}")]), life);
    assert_eq!(actions(&[&format!("container={}", &id[..12])]), life);
    assert_eq!(actions(&[&format!("label=mark={one}")]), life);
    assert_eq!(actions(&[&format!("label=mark={one}"), "event=start"]), ["start"]);
    assert_eq!(actions(&[&format!("label=mark={one}"), "event=start", "event=die"]), ["start", "die"]);
    assert_eq!(actions(&[&format!("container={one}"), &format!("container={two}"), "event=create"]).len(), 2);
    assert_eq!(actions(&[&format!("container={one}"), "type=network"]).len(), 0);
    assert_eq!(actions(&[&format!("container={one}"), "scope=swarm"]).len(), 0);
    assert_eq!(actions(&[&format!("container={one}"), "scope=local", "type=container", "event=create"]), ["create"]);
    assert!(actions(&["type=network", "network=bridge", "event=connect"]).len() >= 2);
    assert!(actions(&[&format!("image={image}"), "event=create"]).len() >= 2);
    for nothing in ["node=x", "service=x", "secret=x", "config=x", "plugin=x", "volume=nosuch", "daemon=nosuch"] {
        assert_eq!(actions(&[nothing]).len(), 0, "{nothing}");
    }
    let json = past(host, &["--filter", &format!("container={one}"), "--filter", "event=create", "--format", "json"]);
    for part in [r#""Type":"container""#, r#""Action":"create""#, r#""scope":"local""#, r#""timeNano":"#] {
        assert!(json[0].contains(part), "{part} is missing in {}", json[0]);
    }
}

fn events_in_every_form_of_time(host: &Host) {
    let (image, name, before) = (host.image(), host.name("when"), seconds() - 1);
    host.run(&["create", "--name", &name, &image]);
    let filter = format!("container={name}");
    let since = |since: &str| {
        let now = now();
        let flags = ["events", "--since", since, "--until", &now, "--filter", &filter, "--format", "{{.Action}}"];
        host.run(&flags)
    };
    let date = |format: &str| {
        let output = std::process::Command::new("date").args(["-u", "-d", &format!("@{before}"), format]).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    };
    for form in ["10m", "1h30m", &before.to_string(), &format!("{before}.000000001"), &date("+%Y-%m-%dT%H:%M:%SZ")] {
        assert_eq!(since(form), "create", "{form}");
    }
    let later = (seconds() + 3600).to_string();
    let upside_down = host.try_run(&["events", "--since", &later, "--until", "1h"]);
    assert!(upside_down.code == 1 && upside_down.err.contains("cannot be after `until`"), "{upside_down:?}");
    // A bound to come: the command waits for it, and tells what happens until then.
    let (bound, since) = (seconds() + 10, before.to_string());
    let until = bound.to_string();
    let mut command = host.command();
    command.args(["events", "--since", &since, "--until", &until, "--filter", &filter, "--format", "{{.Action}}"]);
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    host.run(&["rm", &name]);
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(told, "create\ndestroy\n");
    assert!(seconds() >= bound);
}

#[test]
fn events_outlive_the_daemon() {
    let mut host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("before"));
    let actions = |host: &Host| past(host, &["--filter", &format!("container={name}"), "--format", "{{.Action}}"]);
    host.run(&["create", "--name", &name, &image, "sleep", "300"]);
    until("it is written down", || actions(&host) == ["create"]);
    host.kill_daemon_and_restart();
    assert_eq!(actions(&host), ["create"]);
    host.run(&["start", &name]);
    assert_eq!(actions(&host), ["create", "start"]);
    host.kill_daemon();
    host.restart_daemon();
    host.run(&["kill", &name]);
    until("its end is told", || actions(&host) == ["create", "start", "kill", "die"]);
}

/// Sends a request by hand.
fn request(host: &Host, head: &str, headers: &str, body: &str) -> UnixStream {
    let path = host.address().strip_prefix("unix://").unwrap();
    let mut stream = UnixStream::connect(path).unwrap();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = body.len();
    write!(stream, "{head} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{kind}Content-Length: {length}\r\n\r\n{body}").unwrap();
    stream
}

/// The whole answer to a request that ends the connection.
fn answer(host: &Host, head: &str, headers: &str, body: &str) -> String {
    let mut answer = String::new();
    let headers = format!("{headers}Connection: close");
    request(host, head, &headers, body).read_to_string(&mut answer).unwrap();
    answer
}

fn rename(host: &Host, name: &str, other: &str) {
    let done = answer(host, &format!("POST /v1.41/containers/{name}/rename?name={other}"), "", "");
    assert!(done.starts_with("HTTP/1.1 204 "), "{done}");
}

/// The head and the body of `GET /events`, as the client prefers it.
fn streamed(host: &Host, accept: &str) -> String {
    let head = format!("GET /v1.51/events?since=1&until={}", now());
    answer(host, &head, &format!("Accept: {accept}\r\n"), "")
}

/// The command lines watch for the keys themselves; other clients leave that to the daemon.
#[test]
fn events_of_detaching() {
    let host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("keys"));
    host.run(&["run", "-dit", "--name", &name, &image, "sh"]);
    let happened = |action: &str| {
        let flags = ["--filter", &format!("container={name}"), "--format", "{{.Action}} {{json .Actor.Attributes}}"];
        past(&host, &flags).into_iter().find(|line| line.starts_with(&format!("{action} ")))
    };
    let config = r#"{"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"Cmd":["sh"]}"#;
    let created = answer(&host, &format!("POST /containers/{name}/exec"), "", config);
    let exec = created.split(r#""Id":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let upgrade = "Connection: Upgrade\r\nUpgrade: tcp";
    let mut session = request(&host, &format!("POST /exec/{exec}/start"), upgrade, r#"{"Tty":true}"#);
    session.write_all(b"\x10\x11").unwrap();
    until("exec_detach is told", || happened("exec_detach").is_some());
    assert!(happened("exec_detach").unwrap().contains(&format!(r#""execID":"{exec}""#)));
    assert!(happened("detach").is_none());
    let path = format!("POST /containers/{name}/attach?stream=1&stdin=1&stdout=1");
    let mut attached = request(&host, &path, upgrade, "");
    attached.write_all(b"\x10\x11").unwrap();
    until("detach is told", || happened("detach").is_some());
}

#[test]
fn events_come_in_the_type_that_is_asked_for() {
    let host = Host::start(Cli::Ours);
    host.image();
    until("there is an event", || streamed(&host, "*/*").contains("\"pull\""));
    for (accept, kind, first) in [
        ("*/*", "application/json", "{"),
        ("application/x-ndjson", "application/x-ndjson", "{"),
        ("application/jsonl", "application/jsonl", "{"),
        ("application/json-seq", "application/json-seq", "\u{1e}{"),
    ] {
        let answer = streamed(&host, accept);
        assert!(answer.to_lowercase().contains(&format!("content-type: {kind}\r\n")), "{accept}: {answer}");
        assert!(answer.contains(&format!("\r\n{first}\"status\":\"pull\"")), "{accept}: {answer}");
    }
}
