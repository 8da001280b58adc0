//! Other OCI runtimes under our shim: runc and crun, as they are installed.

use std::path::Path;

use crate::host::{Host, Wishes, until};
use crate::service::{flags, with_both};
use crate::terminal::Terminal;

fn installed(name: &str) -> &'static str {
    let places = match name {
        "runc" => ["/usr/sbin/runc", "/usr/bin/runc"],
        _ => ["/usr/bin/crun", "/usr/sbin/crun"],
    };
    places.into_iter().find(|path| Path::new(path).exists()).unwrap_or_else(|| panic!("{name} is not installed"))
}

fn with(name: &str, check: impl Fn(&Host, &str)) {
    // Not its usual name: `runc` alone means berth's own where nothing else was given that name.
    let wished = || {
        let runtime = format!("other={}", installed(name));
        Wishes { flags: flags(&["--add-runtime", &runtime]), ..Wishes::default() }
    };
    with_both(wished, |host| check(host, &host.image()));
}

fn life(host: &Host, image: &str) {
    let run = |more: &[&str]| host.run(&[&["run", "--rm", "--runtime", "other"], more].concat());
    assert_eq!(run(&[image, "echo", "hello"]), "hello");
    let done =
        host.run_with_input(&["run", "--rm", "-i", "--runtime", "other", image, "wc", "-c"], &vec![b'x'; 300_000]);
    assert_eq!(done.out.trim(), "300000", "{}", done.err);
    let done =
        host.try_run(&["run", "--rm", "--runtime", "other", image, "sh", "-c", "echo out; echo err >&2; exit 5"]);
    assert_eq!((done.code, done.out.as_str(), done.err.trim()), (5, "out", "err"));
    host.try_run(&["run", "--rm", "--runtime", "other", image, "no-such-command"]).fails_with(127, "no-such-command");
    let limited = run(&["-m", "64m", image, "sh", "-c", LIMIT]);
    assert_eq!(limited, "67108864");
    assert_eq!(run(&["--network", "none", image, "ls", "/sys/class/net"]), "lo");

    let name = host.name("box");
    host.run(&["run", "-d", "--name", &name, "--runtime", "other", "--hostname", "box", image, "sleep", "300"]);
    assert_eq!(host.inspect(&name, "{{.HostConfig.Runtime}} {{.State.Status}}"), "other running");
    assert_eq!(host.run(&["exec", &name, "hostname"]), "box");
    assert_eq!(host.try_run(&["exec", &name, "sh", "-c", "exit 9"]).code, 9);
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["exec", "-it", &name, "sh"]));
    terminal.type_in("tty; echo is$((0+1)); exit 3\n");
    terminal.shows("is1");
    assert_eq!(terminal.ends(), 3);
    host.run(&["pause", &name]);
    assert_eq!(host.inspect(&name, "{{.State.Status}}"), "paused");
    host.run(&["unpause", &name]);
    host.run(&["kill", &name]);
    assert_eq!(host.run(&["wait", &name]), "137");
    host.run(&["start", &name]);
    assert_eq!(host.run(&["exec", &name, "echo", "again"]), "again");
    host.run(&["rm", "-f", &name]);

    let mut command = host.command();
    let terminal = Terminal::start(command.args(["run", "--rm", "-it", "--runtime", "other", image, "sh"]));
    terminal.type_in("echo tty$((0+1)); exit 6\n");
    terminal.shows("tty1");
    assert_eq!(terminal.ends(), 6);
}

const LIMIT: &str = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes";

#[test]
fn runc_runs_containers() {
    with("runc", life);
}

#[test]
fn crun_runs_containers() {
    with("crun", life);
}

#[test]
fn which_runtimes_there_are() {
    with("crun", |host, image| {
        host.try_run(&["run", "--rm", "--runtime", "nope", image, "true"])
            .fails_with(125, "unknown or invalid runtime name: nope");
        assert_eq!(
            host.run(&["info", "-f", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}{{.DefaultRuntime}}"]),
            "berth other berth"
        );
        let name = host.name("own");
        host.run(&["create", "--name", &name, "--runtime", "runc", image, "true"]);
        assert_eq!(host.inspect(&name, "{{.HostConfig.Runtime}}"), "berth");
    });
    let wished = || Wishes {
        flags: flags(&["--add-runtime", "mine=/bin/false", "--default-runtime", "mine"]),
        ..Wishes::default()
    };
    with_both(wished, |host| {
        let (image, name) = (host.image(), host.name("default"));
        host.try_run(&["run", "--name", &name, &image, "true"]).fails_with(125, "/bin/false");
        assert_eq!(host.inspect(&name, "{{.HostConfig.Runtime}} {{.State.Status}}"), "mine created");
        assert_eq!(host.run(&["run", "--rm", "--runtime", "berth", &image, "echo", "own"]), "own");
    });
}

/// A daemon that comes back finds the container as it was.
#[test]
fn a_daemon_s_death_does_not_matter() {
    let runtime = format!("other={}", installed("runc"));
    let wishes = Wishes { flags: flags(&["--add-runtime", &runtime]), ..Wishes::default() };
    let mut host = Host::start_as(crate::host::Cli::Ours, wishes);
    let (image, name) = (host.image(), host.name("survivor"));
    host.run(&["run", "-d", "--name", &name, "--runtime", "other", &image, "sh", "-c", "sleep 300"]);
    host.kill_daemon_and_restart();
    assert_eq!(host.run(&["exec", &name, "echo", "alive"]), "alive");
    host.run(&["stop", "-t", "0", &name]);
    assert_eq!(host.inspect(&name, "{{.State.ExitCode}}"), "137");
    let bundle = host.daemon().data_root().join("containers").join(host.inspect(&name, "{{.Id}}")).join("bundle");
    until("nothing of the bundle is left", || !bundle.exists());
}
