//! Restart policies: when a container that ended is started again, and what the user's own commands do about it.

use std::time::Duration;

use crate::host::{Cli, Host, until};

rows![
    a118_restart_policies,
    a119_always_restarts_until_stopped,
    a121_typos,
    commands_while_it_waits_to_be_restarted,
    restart_keeps_a_container_to_be_removed,
];

/// A container in the background with a policy.
fn with_policy(host: &Host, policy: &str, script: &str) -> String {
    let (image, name) = (host.image(), host.name(policy.split(':').next().unwrap()));
    host.run(&["run", "-d", "--restart", policy, "--name", &name, &image, "sh", "-c", script]);
    name
}

fn restarts(host: &Host, name: &str) -> u32 {
    host.inspect(name, "{{.RestartCount}}").parse().unwrap()
}

fn status(host: &Host, name: &str) -> String {
    host.inspect(name, "{{.State.Status}} {{.State.ExitCode}}")
}

fn a118_restart_policies(host: &Host) {
    let (image, name) = (host.image(), host.name("none"));
    for (policy, text) in [
        ("foo", "invalid restart policy 'foo'"),
        ("always:3", "maximum retry count cannot be used with restart policy 'always'"),
    ] {
        host.try_run(&["run", "--restart", policy, "--name", &name, &image, "true"]).fails_with(125, text);
    }
    host.try_run(&["run", "--restart", "always", "--rm", &image, "true"])
        .fails_with(125, "conflicting options: cannot specify both --restart and --rm");
    assert_eq!(host.run(&["ps", "-aq", "--filter", &format!("name={}-", host.prefix())]), "");

    let counted = with_policy(host, "on-failure:3", "echo run; exit 5");
    let fine = with_policy(host, "on-failure", "echo run; exit 0");
    let never = with_policy(host, "no", "echo run; exit 5");
    until("it has failed four times", || status(host, &counted) == "exited 5" && restarts(host, &counted) == 3);
    assert_eq!(host.run(&["logs", &counted]), "run\nrun\nrun\nrun");
    assert_eq!(host.inspect(&counted, "{{.State.Restarting}} {{.State.Running}}"), "false false");
    until("they have ended", || status(host, &fine) == "exited 0" && status(host, &never) == "exited 5");
    for (name, policy) in [(&counted, "on-failure 3"), (&fine, "on-failure 0"), (&never, "no 0")] {
        let template = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}";
        assert_eq!(host.inspect(name, template), policy);
    }
    assert_eq!((restarts(host, &fine), restarts(host, &never)), (0, 0));
    assert_eq!((host.run(&["logs", &fine]), host.run(&["logs", &never])), ("run".into(), "run".into()));

    // Whoever starts it begins to count anew.
    host.run(&["start", &counted]);
    until("it has failed four times more", || host.run(&["logs", &counted]).lines().count() == 8);
    until("and is over", || status(host, &counted) == "exited 5" && restarts(host, &counted) == 3);
}

fn a119_always_restarts_until_stopped(host: &Host) {
    let name = with_policy(host, "always", "echo run; sleep 0.2");
    let killed = with_policy(host, "always", "sleep 300");
    until("it was restarted after exit 0", || restarts(host, &name) >= 2);
    host.run(&["stop", "-t", "0", &name]);
    host.run(&["kill", &killed]);
    assert!(status(host, &name).starts_with("exited "), "{}", status(host, &name));
    assert_eq!(status(host, &killed), "exited 137");
    let (runs, count) = (host.run(&["logs", &name]), restarts(host, &name));
    // Longer than any pause it had come to by then, were it still to be restarted.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((host.run(&["logs", &name]), restarts(host, &name)), (runs, count));
    assert_eq!(status(host, &killed), "exited 137");
    // Killed from inside, nobody's hand was in it.
    host.run(&["start", &killed]);
    let first = host.inspect(&killed, "{{.State.StartedAt}}");
    host.run(&["exec", &killed, "sh", "-c", "kill -9 -1; true"]);
    let script = "kill -TERM 1; sleep 300";
    let inside = with_policy(host, "always", &format!("trap 'exit 4' TERM; (sh -c '{script}') & wait"));
    until("it ended by itself and was restarted", || restarts(host, &inside) >= 1);
    assert_eq!(host.inspect(&killed, "{{.State.StartedAt}}"), first, "an init that ignores it goes on");
}

fn a121_typos(host: &Host) {
    let image = host.image();
    host.try_run(&["run", "--it", &image, "sh"]).fails_with(125, "unknown flag: --it");
    let done = host.try_run(&["run", "--restart", "-it", "always", &image, "sh"]);
    assert_eq!(done.code, 125, "{}", done.err);
    let done = host.try_run(&["run", "--restart", "-it", &image, "sh"]);
    done.fails_with(125, "invalid restart policy '-it'");
}

/// A container that fails at once, and whose policy has just begun to pause for six seconds or more.
fn waiting(host: &Host, script: &str) -> String {
    let name = with_policy(host, "always", script);
    until("it waits", || {
        host.inspect(&name, "{{.RestartCount}} {{.State.Status}}")
            .split_once(' ')
            .is_some_and(|(count, status)| count.parse::<u32>().unwrap() >= 7 && status == "restarting")
    });
    name
}

fn commands_while_it_waits_to_be_restarted(host: &Host) {
    let stopped = &waiting(host, "exit 3");
    assert_eq!(host.inspect(stopped, "{{.State.Running}} {{.State.Restarting}} {{.State.Pid}}"), "true true 0");
    let filter = format!("name={stopped}");
    let shown = host.run(&["ps", "--filter", &filter, "--filter", "status=restarting", "--format", "{{.Status}}"]);
    assert!(shown.starts_with("Restarting (3) ") && shown.ends_with(" ago"), "{shown}");
    host.try_run(&["exec", stopped, "true"]).fails_with(1, "is restarting, wait until the container is running");
    host.try_run(&["pause", stopped]).fails_with(1, "is restarting, wait until the container is running");
    assert_eq!(host.run(&["start", stopped]), *stopped, "it is as good as started");
    assert_eq!(host.run(&["stop", stopped]), *stopped);
    assert_eq!(status(host, stopped), "exited 3");
    let count = restarts(host, stopped);

    let killed = &waiting(host, "exit 3");
    host.run(&["kill", killed]);
    assert_eq!(status(host, killed), "exited 3");

    let removed = &waiting(host, "exit 3");
    let done = host.try_run(&["rm", removed]);
    assert!(done.code == 1 && done.err.contains("restarting") && done.err.contains("force remove"), "{}", done.err);
    host.run(&["rm", "-f", removed]);
    host.try_run(&["inspect", removed]).fails_with(1, "No such object");

    let restarted = &waiting(host, "exit 3");
    host.run(&["restart", restarted]);
    assert!(restarts(host, restarted) < 7, "the count begins anew");
    host.run(&["rm", "-f", restarted]);

    assert_eq!((status(host, stopped), restarts(host, stopped)), ("exited 3".to_owned(), count));
}

fn restart_keeps_a_container_to_be_removed(host: &Host) {
    let (image, name) = (host.image(), host.name("rm"));
    host.run(&["run", "-d", "--rm", "--name", &name, &image, "sleep", "300"]);
    let before = host.inspect(&name, "{{.Id}}");
    host.run(&["restart", "-t", "0", &name]);
    assert_eq!(host.inspect(&name, "{{.Id}} {{.State.Status}}"), format!("{before} running"));
    host.run(&["stop", "-t", "0", &name]);
    until("it is gone", || !host.try_run(&["inspect", &name]).ok());
}

/// Row A120's nine containers, each as it is before the daemon ends.
pub(crate) struct Matrix {
    running: Vec<(String, String)>,
}

const ALIVE: &str = "{{.State.Status}} {{.State.Pid}} {{.State.StartedAt}}";

impl Matrix {
    /// Makes them. Names are given by the row, so a host has one matrix.
    pub(crate) fn make(host: &Host) -> Self {
        let image = host.image();
        let make = |name: &str, policy: &str, command: &str| {
            host.run(&["run", "-d", "--name", name, "--restart", policy, &image, "sh", "-c", command]);
        };
        for (name, policy) in [
            ("a-stopped", "always"),
            ("a-killed", "always"),
            ("us-stopped", "unless-stopped"),
            ("us-running", "unless-stopped"),
            ("of-stopped", "on-failure"),
            ("of-running", "on-failure"),
            ("no-running", "no"),
        ] {
            make(name, policy, "exec sleep 3000");
        }
        make("of-done", "on-failure", "exit 0");
        make("of-exhausted", "on-failure:2", "exit 5");
        host.run(&["stop", "-t", "0", "a-stopped", "us-stopped", "of-stopped"]);
        host.run(&["kill", "a-killed"]);
        until("the failing ones are over", || {
            status(host, "of-done") == "exited 0"
                && host.inspect("of-exhausted", "{{.RestartCount}} {{.State.Status}}") == "2 exited"
        });
        let running = ["us-running", "of-running", "no-running"];
        Self { running: running.map(|name| (name.to_owned(), host.inspect(name, ALIVE))).into() }
    }

    /// After a new daemon of the same boot.
    fn after_a_daemon(&self, host: &Host) {
        Self::stands(host);
        for (name, before) in &self.running {
            assert_eq!(host.inspect(name, ALIVE), *before, "{name} was touched");
        }
    }

    /// After a reboot.
    pub(crate) fn after_a_reboot(host: &Host) {
        Self::stands(host);
        until("us-running is up", || status(host, "us-running") == "running 0");
        until("of-running is up", || status(host, "of-running") == "running 0");
        assert_eq!(status(host, "no-running"), "exited 255");
    }

    fn stands(host: &Host) {
        for name in ["a-stopped", "a-killed", "of-stopped"] {
            until(name, || status(host, name) == "running 0");
        }
        assert_eq!(status(host, "us-stopped"), "exited 137");
        assert_eq!(status(host, "of-done"), "exited 0");
        assert_eq!(status(host, "of-exhausted"), "exited 5");
        assert_eq!(restarts(host, "of-exhausted"), 2);
    }
}

fn a120_daemon_restarts(cli: Cli) {
    let mut host = Host::start(cli);
    let matrix = Matrix::make(&host);
    host.stop_daemon();
    host.restart_daemon();
    matrix.after_a_daemon(&host);
    // The started ones are stopped again, so that the next daemon has the same to do.
    host.run(&["stop", "-t", "0", "a-stopped", "of-stopped"]);
    host.run(&["kill", "a-killed"]);
    host.kill_daemon_and_restart();
    matrix.after_a_daemon(&host);
}

#[test]
fn a120_restart_matrix_berth() {
    a120_daemon_restarts(Cli::Ours);
}

#[test]
fn a120_restart_matrix_docker() {
    a120_daemon_restarts(Cli::Docker);
}

/// What ends while no daemon is there is restarted by the next one; so is what was about to be.
#[test]
fn a120_exits_in_between_are_handled() {
    let mut host = Host::start(Cli::Ours);
    let (image, gone) = (host.image(), host.name("gone"));
    let always = with_policy(&host, "always", "echo run; usleep 700000; exit 0");
    let failing = with_policy(&host, "on-failure:1", "echo run; usleep 700000; exit 4");
    host.run(&["run", "-d", "--rm", "--name", &gone, &image, "usleep", "700000"]);
    let waiting = waiting(&host, "echo run; exit 1");
    let runs = |host: &Host, name: &str| host.run(&["logs", name]).lines().count();
    until("a run begins", || host.inspect(&always, "{{.State.Status}}") == "running");
    let before = (runs(&host, &always), runs(&host, &waiting));
    let pid = host.inspect(&always, "{{.State.Pid}}");
    host.kill_daemon();
    until("it ends without a daemon", || !std::path::Path::new("/proc").join(&pid).exists());
    host.restart_daemon();
    until("the next daemon restarts it", || runs(&host, &always) > before.0);
    until("and what waited", || runs(&host, &waiting) > before.1);
    until("on-failure has counted", || {
        host.inspect(&failing, "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}") == "1 exited 4"
    });
    assert_eq!(runs(&host, &failing), 2);
    assert!(!host.try_run(&["inspect", &gone]).ok(), "{gone} was to be removed");
}

/// A container whose files cannot be removed is dead, can be removed once they can, and nothing else.
#[test]
fn a_container_that_cannot_be_removed_is_dead() {
    let host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("dead"));
    let id = host.run(&["create", "--name", &name, &image, "true"]);
    // A mount point cannot be renamed away.
    let directory = host.daemon().data_root().join("containers").join(&id);
    let directory = directory.to_str().unwrap();
    let mount =
        |args: &[&str]| assert!(std::process::Command::new(args[0]).args(&args[1..]).status().unwrap().success());
    mount(&["mount", "--bind", directory, directory]);
    let done = host.try_run(&["rm", &name]);
    let states = (host.inspect(&name, "{{.State.Status}} {{.State.Dead}}"), host.try_run(&["start", &name]));
    let listed = host.run(&["ps", "-a", "--filter", "status=dead", "--format", "{{.Names}} {{.Status}}"]);
    mount(&["umount", directory]);
    done.fails_with(1, "failed to remove root filesystem");
    assert_eq!(states.0, "dead true");
    states.1.fails_with(1, "container is marked for removal and cannot be started");
    assert_eq!(listed, format!("{name} Dead"));
    host.run(&["rm", &name]);
    assert_eq!(host.run(&["ps", "-aq"]), "");
}
