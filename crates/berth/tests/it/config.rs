//! `daemon.json`: read at start, held against the flags, read again at SIGHUP.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::host::{BERTH, Cli, Done, Host, Wishes, until};
use crate::service::{flags, free_port, refused, with_both};

fn validate(text: &str, flags: &[&str]) -> Done {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("daemon.json");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(BERTH);
    command.args(["daemon", "--validate", "--config-file"]).arg(&file).args(flags);
    Done::from(command.output().unwrap())
}

#[test]
fn a008_a_flag_and_a_key_must_not_say_the_same() {
    let conflict = validate(r#"{"debug":true,"registry-mirrors":["http://m"]}"#, &["--registry-mirror", "http://n"]);
    conflict.fails_with(
        1,
        "the following directives are specified both as a flag and in the configuration file: registry-mirrors: \
         (from flag: http://n, from file: http://m)",
    );
    let unknown = validate(r#"{"no-such-key":1}"#, &[]);
    unknown.fails_with(1, "the following directives don't match any configuration option: no-such-key");
    validate("{", &[]).fails_with(1, "invalid JSON");
    validate(r#"{"registry-mirrors":["m"]}"#, &[]).fails_with(1, "invalid mirror: no scheme specified");
    let good = validate(r#"{"debug":true,"labels":["a=b"],"hosts":["fd://"]}"#, &[]);
    assert_eq!((good.code, good.out.as_str()), (0, "configuration OK"), "{}", good.err);
    refused(&["--config-file", "/no/such/file"]).fails_with(1, "/no/such/file");
}

fn reload(host: &Host) {
    let pid = fs::read_to_string(host.daemon().root().join("pid")).unwrap();
    kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::HUP).unwrap();
}

#[test]
fn a008_sighup_reads_the_file_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("daemon.json");
    let first = r#"{"labels":["stage=first"],"registry-mirrors":["http://127.0.0.1:1"]}"#;
    let wishes = || {
        fs::write(&file, first).unwrap();
        Wishes { flags: flags(&["--config-file", file.to_str().unwrap()]), ..Wishes::default() }
    };
    with_both(wishes, |host| {
        let shown = || host.run(&["info", "-f", "{{json .Labels}} {{json .RegistryConfig.Mirrors}} {{.Debug}}"]);
        // Docker writes mirrors with a slash at the end.
        assert_eq!(shown().replace("1/\"", "1\""), r#"["stage=first"] ["http://127.0.0.1:1"] false"#);
        let runtime = r#""runtimes":{"other":{"path":"/bin/other","runtimeArgs":["-x"]}}"#;
        fs::write(&file, format!(r#"{{"labels":["stage=second"],"debug":true,{runtime}}}"#)).unwrap();
        reload(host);
        until("the new labels", || shown().starts_with(r#"["stage=second"]"#));
        assert!(shown().ends_with("true"), "{}", shown());
        let runtimes = host.run(&["info", "-f", "{{json .Runtimes}}"]);
        assert!(runtimes.contains(r#""path":"/bin/other","runtimeArgs":["-x"]"#), "{runtimes}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let soon = (now + 1).to_string();
        let asked = ["events", "--since", "1", "--until", &soon, "--filter", "event=reload", "--format", "{{json .}}"];
        let events = host.run(&asked);
        assert!(events.contains(r#""Action":"reload""#) && events.contains("stage=second"), "{events}");

        // A mistake changes nothing, and ends nothing.
        fs::write(&file, r#"{"labels":["nothing"]}"#).unwrap();
        reload(host);
        let log = || fs::read_to_string(host.daemon().root().join("daemon.log")).unwrap();
        until("the complaint", || log().contains("the configuration stays as it was"));
        assert!(shown().starts_with(r#"["stage=second"]"#), "{}", shown());
    });
}

/// As Docker does without live restore: who may start again does so with the next daemon.
#[test]
fn a008_without_live_restore_containers_end_with_the_daemon() {
    let wishes = Wishes { flags: flags(&["--live-restore=false"]), ..Wishes::default() };
    let mut host = Host::start_as(Cli::Docker, wishes);
    assert_eq!(host.run(&["info", "-f", "{{.LiveRestoreEnabled}}"]), "false");
    let (image, plain, again) = (host.image(), host.name("plain"), host.name("again"));
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done";
    host.run(&["run", "-d", "--name", &plain, &image, "sh", "-c", script]);
    host.run(&["run", "-d", "--name", &again, "--restart", "unless-stopped", &image, "sh", "-c", script]);
    for name in [&plain, &again] {
        until("the trap is set", || host.run(&["logs", name]) == "ready");
    }
    host.stop_daemon();
    host.restart_daemon();
    assert_eq!(host.inspect(&plain, "{{.State.Status}} {{.State.ExitCode}}"), "exited 3");
    until("it is started again", || host.inspect(&again, "{{.State.Status}}") == "running");
}

#[test]
fn a001_metrics_and_the_oldest_version() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let wishes = Wishes {
        flags: flags(&["--metrics-addr", &address, "--min-api-version", "1.40", "--log-format", "json"]),
        ..Wishes::default()
    };
    let host = Host::start_as(Cli::Docker, wishes);
    until("the metrics are served", || TcpStream::connect(&address).is_ok());
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    for line in ["engine_daemon_container_states_containers{state=\"running\"} 0", "engine_daemon_engine_cpus_cpus "] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    let mut command = host.command();
    let done = Done::from(command.env("DOCKER_API_VERSION", "1.39").arg("ps").output().unwrap());
    done.fails_with(1, "client version 1.39 is too old. Minimum supported API version is 1.40");
    assert_eq!(host.run(&["version", "-f", "{{.Server.MinAPIVersion}}"]), "1.40");
    let log = fs::read_to_string(host.daemon().root().join("daemon.log")).unwrap();
    for line in log.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(entry["msg"].is_string() && entry["level"].is_string(), "{line}");
    }
}

#[test]
fn a008_name_servers_for_containers_that_name_none() {
    let wished = || Wishes {
        flags: flags(&["--dns", "192.0.2.53", "--dns-search", "example.test", "--dns-opt", "ndots:3"]),
        ..Wishes::default()
    };
    with_both(wished, |host| {
        let image = host.image();
        let read = |more: &[&str]| {
            let words = [&["run", "--rm", "--network", "none"], more, &[image.as_str(), "cat", "/etc/resolv.conf"]];
            host.run(&words.concat())
        };
        let resolv = read(&[]);
        for line in ["nameserver 192.0.2.53", "search example.test", "options ndots:3"] {
            assert!(resolv.contains(line), "{resolv}");
        }
        assert!(read(&["--dns", "192.0.2.1"]).contains("nameserver 192.0.2.1"));
    });
}
