//! Where output goes: log drivers that write files, their options, rotation, disks that are full.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::host::{Cli, Host, Wishes, until};

rows![
    a132_driver_errors,
    a132_attributes,
    a132_rotation,
    a132_compressed,
    a132_local,
    a132_none,
    a132_follow_through_rotation,
    a132_follow_ends_with_removal,
    a132_times,
    a132_options_of_the_daemon,
    a132_full_disk,
];

/// Runs to its end, and keeps it.
pub(crate) fn ran(host: &Host, options: &[&str], script: &str) -> String {
    let (image, name) = (host.image(), host.name("log"));
    let args = [&["run", "--name", &name], options, &[&image, "sh", "-c", script]].concat();
    host.run(&args);
    name
}

fn a132_driver_errors(host: &Host) {
    let image = host.image();
    for (options, text) in [
        (&["--log-driver", "nosuch"][..], "error looking up logging plugin nosuch: plugin \"nosuch\" not found"),
        (&["--log-opt", "nope=1"], "unknown log opt 'nope' for json-file log driver"),
        (&["--log-driver", "local", "--log-opt", "tag=x"], "unknown log opt 'tag' for log driver local"),
        (&["--log-driver", "syslog", "--log-opt", "nope=1"], "unknown log opt 'nope' for syslog log driver"),
        (&["--log-driver", "none", "--log-opt", "nope=1"], "invalid logging opts for driver none"),
        (&["--log-opt", "mode=x"], "logger: logging mode not supported: x"),
        (&["--log-opt", "max-file=0"], "failed to initialize logging driver: max-file cannot be less than 1"),
        (&["--log-opt", "tag={{.Nope}}"], "can't evaluate field Nope in type *logger.Info"),
        (
            &["--log-driver", "syslog", "--log-opt", "syslog-address=tcp://127.0.0.1:9"],
            "failed to initialize logging driver: dial tcp 127.0.0.1:9: connect: connection refused",
        ),
    ] {
        let name = host.name("bad");
        let args = [&["run", "--name", &name], options, &[&image, "true"]].concat();
        host.try_run(&args).fails_with(125, text);
        host.try_run(&["rm", "-f", &name]);
    }
}

fn a132_attributes(host: &Host) {
    let options = [
        "--label",
        "com.example.a=1",
        "--label",
        "other=2",
        "-e",
        "VERSION=3 4",
        "-e",
        "SECRET=x",
        "--log-opt",
        "labels=other,none",
        "--log-opt",
        "labels-regex=^com\\.",
        "--log-opt",
        "env=VERSION",
        "--log-opt",
        "tag={{.Name}}/{{.ImageName}}",
    ];
    let name = ran(host, &options, "echo hi");
    let details = host.run(&["logs", "--details", &name]);
    let image = host.image().replace('/', "%2F").replace(':', "%3A");
    assert_eq!(details, format!("VERSION=3+4,com.example.a=1,other=2,tag={name}%2F{image} hi"));
    let file = fs::read_to_string(host.inspect(&name, "{{.LogPath}}")).unwrap();
    let line: serde_json::Value = serde_json::from_str(&file).unwrap();
    assert_eq!(
        (&line["log"], &line["attrs"]["VERSION"], &line["attrs"]["SECRET"]),
        (&"hi\n".into(), &"3 4".into(), &serde_json::Value::Null)
    );
    assert_eq!(host.run(&["logs", &name]), "hi");
    host.run(&["rm", &name]);
}

/// The names of the files beside the container's log.
fn files(log: &Path) -> Vec<String> {
    let name = log.file_name().unwrap().to_str().unwrap().to_owned();
    let entries = fs::read_dir(log.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = entries.filter_map(|e| e.strip_prefix(&name).map(str::to_owned)).collect();
    found.sort();
    found
}

fn numbers(text: &str) -> Vec<u32> {
    text.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("{line:?}"))).collect()
}

fn a132_rotation(host: &Host) {
    let name =
        ran(host, &["--log-opt", "max-size=100k", "--log-opt", "max-file=3"], "seq 1 10000 >/dev/null; seq 1 10000");
    let log = host.inspect(&name, "{{.LogPath}}");
    assert_eq!(files(Path::new(&log)), ["", ".1", ".2"]);
    let all = numbers(&host.run(&["logs", &name]));
    assert!(all.windows(2).all(|two| two[0] + 1 == two[1]) && *all.last().unwrap() == 10_000);
    assert!((2000..9000).contains(&all.len()), "{}", all.len());
    assert_eq!(numbers(&host.run(&["logs", "-n", "2500", &name])), (7501..=10_000).collect::<Vec<_>>());
    host.run(&["rm", &name]);
}

fn a132_compressed(host: &Host) {
    let options = ["--log-opt", "max-size=100k", "--log-opt", "max-file=20", "--log-opt", "compress=true"];
    let name = ran(host, &options, "seq 1 10000");
    let log = host.inspect(&name, "{{.LogPath}}");
    until("the last file is compressed", || {
        files(Path::new(&log)).iter().all(|suffix| suffix.is_empty() || suffix.ends_with(".gz"))
    });
    assert!(files(Path::new(&log)).len() > 5, "{:?}", files(Path::new(&log)));
    assert_eq!(numbers(&host.run(&["logs", &name])), (1..=10_000).collect::<Vec<_>>());
    assert_eq!(numbers(&host.run(&["logs", "-n", "4000", &name])), (6001..=10_000).collect::<Vec<_>>());
    host.run(&["rm", &name]);
}

fn a132_local(host: &Host) {
    let options = ["--log-driver", "local", "--log-opt", "max-size=100k", "--log-opt", "max-file=20"];
    let name = ran(host, &options, "seq 1 10000; echo err >&2");
    assert_eq!(host.inspect(&name, "{{.LogPath}}{{.HostConfig.LogConfig.Type}}"), "local");
    let done = host.try_run(&["logs", &name]);
    assert_eq!((numbers(&done.out), done.err.as_str()), ((1..=10_000).collect::<Vec<_>>(), "err\n"));
    let tail = host.try_run(&["logs", "-t", "-n", "5000", &name]);
    let last = tail.out.lines().last().unwrap();
    assert!(last.len() == 31 + 5 && last.ends_with("Z 10000"), "{last}");
    assert!((4999..=5000).contains(&tail.out.lines().count()));
    // A line that is longer than an entry comes back as one.
    let long = ran(host, &["--log-driver", "local"], "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end");
    let lines = host.run(&["logs", &long]);
    assert_eq!(lines.lines().map(str::len).collect::<Vec<_>>(), [40_000, 3]);
    host.run(&["rm", &name, &long]);
}

fn a132_none(host: &Host) {
    let name = ran(host, &["--log-driver", "none"], "echo hi");
    host.try_run(&["logs", &name]).fails_with(1, "configured logging driver does not support reading");
    assert_eq!(host.inspect(&name, "{{.LogPath}}"), "");
    host.run(&["rm", &name]);
}

fn a132_follow_through_rotation(host: &Host) {
    let (image, name) = (host.image(), host.name("follow"));
    let script = "i=0; while test $i -lt 40; do i=$((i+1)); seq $((i*500-499)) $((i*500)); usleep 20000; done";
    let options = ["--log-opt", "max-size=60k", "--log-opt", "max-file=50", "--log-opt", "compress=true"];
    host.run(&[&["run", "-d", "--name", &name], &options[..], &[&image, "sh", "-c", script]].concat());
    assert_eq!(numbers(&host.run(&["logs", "-f", &name])), (1..=20_000).collect::<Vec<_>>());
    host.run(&["rm", "-f", &name]);
}

fn a132_follow_ends_with_removal(host: &Host) {
    let (image, name) = (host.image(), host.name("gone"));
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", "echo hi; sleep 300"]);
    let mut follower = host.command();
    let mut follower = follower.args(["logs", "-f", &name]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut first = [0; 3];
    follower.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    host.run(&["rm", "-f", &name]);
    until("the follower ends", || follower.try_wait().unwrap().is_some());
}

fn a132_times(host: &Host) {
    let name = ran(host, &[], "echo one; sleep 1.2; echo two");
    let stamped = host.run(&["logs", "-t", &name]);
    let second = stamped.lines().last().unwrap().split_once(' ').unwrap().0.to_owned();
    for since in [second.as_str(), &second.replace('Z', "+00:00")] {
        assert_eq!(host.run(&["logs", "--since", since, &name]), "two", "{since}");
    }
    let seconds = second.parse::<jiff::Timestamp>().unwrap().as_duration();
    let unix = format!("{}.{:09}", seconds.as_secs(), seconds.subsec_nanos());
    assert_eq!(host.run(&["logs", "--since", &unix, &name]), "two");
    assert_eq!(host.run(&["logs", "--until", &format!("{}", seconds.as_secs()), &name]), "one");
    assert_eq!(host.run(&["logs", "--since", "10m", "--until", "2200-01-01", &name]), "one\ntwo");
    assert_eq!(host.run(&["logs", "--since", "2006-01-02", &name]), "one\ntwo");
    assert_eq!(host.run(&["logs", "--since", "2006-01-02T15:04", "-n", "1", &name]), "two");
    host.try_run(&["logs", "--since", "yesterday", &name]).fails_with(1, "yesterday");
    host.run(&["rm", &name]);
}

fn with_flags(cli: Cli, flags: &[&str]) -> Host {
    Host::start_as(cli, Wishes { flags: flags.iter().map(ToString::to_string).collect(), ..Wishes::default() })
}

fn a132_options_of_the_daemon(host: &Host) {
    let flags = ["--log-driver", "local", "--log-opt", "max-size=1m", "--log-opt", "max-file=2"];
    let host = &with_flags(host.cli(), &flags);
    let image = host.image();
    let config = |options: &[&str]| {
        let name = host.name("cfg");
        host.run(&[&["create", "--name", &name], options, &[&image, "true"]].concat());
        host.inspect(&name, "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Config}}")
    };
    assert_eq!(config(&[]), "local map[max-file:2 max-size:1m]");
    assert_eq!(config(&["--log-opt", "max-file=7"]), "local map[max-file:7 max-size:1m]");
    assert_eq!(config(&["--log-driver", "local"]), "local map[max-file:2 max-size:1m]");
    assert_eq!(config(&["--log-driver", "json-file"]), "json-file map[]");
    assert_eq!(host.run(&["info", "-f", "{{.LoggingDriver}}"]), "local");
}

/// A daemon in a mount namespace of its own, where `script` has prepared something.
pub(crate) fn in_namespace(cli: Cli, script: &str, flags: &[&str]) -> Host {
    let words = ["unshare", "-m", "--propagation", "private", "sh", "-ec", &format!("{script}; exec \"$@\""), "sh"];
    let wrapper = words.iter().map(ToString::to_string).collect();
    let flags = flags.iter().map(ToString::to_string).collect();
    Host::start_as(cli, Wishes { wrapper, flags, ..Wishes::default() })
}

/// The log's disk is full: the container goes on, and the log says what is missing once there is room.
fn a132_full_disk(host: &Host) {
    let directory = tempfile::tempdir().unwrap();
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = format!("mount -t tmpfs -o size=24m none {0}", disk.display());
    let root = disk.join("data").display().to_string();
    let host = &in_namespace(host.cli(), &mount, &["--data-root", &root]);
    let (image, name) = (host.image(), host.name("full"));
    let script = "seq 1 1000000; echo through; read go; echo after; sleep 300";
    let options = ["-di", "--log-opt", "max-size=-1"];
    host.run(&[&["run", "--name", &name], &options[..], &[&image, "sh", "-c", script]].concat());
    let mut attached = host.command();
    let mut attached = attached
        .args(["attach", &name])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let log = format!("/proc/{}/root{}", host.daemon().pid(), host.inspect(&name, "{{.LogPath}}"));
    let mut out = std::io::BufReader::new(attached.stdout.take().unwrap());
    let mut line = String::new();
    while line != "through\n" {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0, "it ended");
    }
    assert_eq!(host.inspect(&name, "{{.State.Running}}"), "true");
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    std::io::Write::write_all(attached.stdin.as_mut().unwrap(), b"go\n").unwrap();
    until("it goes on", || host.try_run(&["logs", &name]).out.contains("after"));
    let done = host.try_run(&["logs", &name]);
    assert!(done.err.contains("log lines were dropped: no space left on device"), "{}", done.err);
    host.run(&["rm", "-f", &name]);
    attached.wait().unwrap();
}

#[test]
fn a132_grep() {
    let host = &Host::start(Cli::Ours);
    let name = ran(host, &[], "for i in 1 2 3 4 5 6; do echo line $i; echo error $i >&2; done; seq 100 100");
    assert_eq!(host.run(&["logs", "--grep", "^line [135]$", &name]), "line 1\nline 3\nline 5");
    assert_eq!(host.run(&["logs", "--grep", "line", "-n", "2", &name]), "line 5\nline 6");
    let done = host.try_run(&["logs", "--grep", "6", &name]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("line 6", "error 6\n"));
    host.try_run(&["logs", "--grep", "(", &name]).fails_with(1, "invalid pattern \"(\" for --grep");
    let image = host.image();
    let follow = host.name("grep");
    let script = "for i in 1 2 3 4; do echo line $i; done; until [ -e /go ]; do usleep 10000; done; \
                  for i in 5 6 7 8; do echo line $i; done";
    host.run(&["run", "-d", "--name", &follow, &image, "sh", "-c", script]);
    until("the first are there", || host.run(&["logs", &follow]).contains("line 4"));
    let mut follower = host.command();
    follower.args(["logs", "-f", "-n", "1", "--grep", "line [2468]", &follow]).stdout(std::process::Stdio::piped());
    let mut follower = follower.spawn().unwrap();
    let (mut out, mut first) = (follower.stdout.take().unwrap(), [0; 7]);
    out.read_exact(&mut first).unwrap();
    host.run(&["exec", &follow, "touch", "/go"]);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((&first, rest.as_str()), (b"line 4\n", "line 6\nline 8\n"));
    assert!(follower.wait().unwrap().success());
    host.run(&["rm", &name, &follow]);
}
