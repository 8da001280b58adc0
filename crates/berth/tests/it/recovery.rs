//! `kill -9` of the daemon: containers go on, and nothing that they did is lost.

use std::time::Duration;

use crate::host::{Cli, Host, until};
use crate::terminal::Terminal;

#[test]
fn no_log_line_is_lost_or_doubled() {
    let mut host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("lines"));
    // It does not come to its end before it is told to.
    let script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; usleep 1000; \
                  if [ $i = 2900 ]; then until [ -e /go ]; do usleep 10000; done; fi; done";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    let pid = host.inspect(&name, "{{.State.Pid}}");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        host.kill_daemon_and_restart();
        assert_eq!(host.inspect(&name, "{{.State.Status}} {{.State.Pid}}"), format!("running {pid}"));
    }
    host.run(&["exec", &name, "touch", "/go"]);
    assert_eq!(host.run(&["wait", &name]), "0");
    let expected: Vec<String> = (1..=3000).map(|number| number.to_string()).collect();
    assert_eq!(host.run(&["logs", &name]), expected.join("\n"));
}

#[test]
fn an_exit_in_between_is_known() {
    let mut host = Host::start(Cli::Ours);
    let (image, name, temporary) = (host.image(), host.name("exit"), host.name("rm"));
    let script = "sleep 0.5; echo last words; exit 7";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    host.run(&["run", "-d", "--rm", "--name", &temporary, &image, "sh", "-c", script]);
    let pids = [&name, &temporary].map(|name| host.try_run(&["inspect", "-f", "{{.State.Pid}}", name]).out);
    host.kill_daemon();
    until("they end without a daemon", || {
        !pids.iter().any(|pid| !pid.is_empty() && std::path::Path::new("/proc").join(pid).join("ns").exists())
    });
    host.restart_daemon();
    assert_eq!(host.run(&["wait", &name]), "7");
    assert_eq!(host.inspect(&name, "{{.State.Status}} {{.State.ExitCode}}"), "exited 7");
    assert_eq!(host.run(&["logs", &name]), "last words");
    until("the temporary container is gone", || {
        host.run(&["ps", "-aq", "--filter", &format!("name={temporary}")]).is_empty()
    });
    assert_eq!(host.run(&["start", &name]), name);
    assert_eq!(host.run(&["wait", &name]), "7");
}

#[test]
fn a_new_daemon_serves_old_containers() {
    let mut host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("tty"));
    host.run(&["run", "-dit", "--name", &name, &image, "sh"]);
    host.kill_daemon_and_restart();
    assert_eq!(host.run(&["ps", "--format", "{{.Names}} {{.State}}"]), format!("{name} running"));
    assert_eq!(host.run(&["exec", &name, "echo", "inside"]), "inside");
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["attach", &name]));
    terminal.type_in("echo is$((0+1)); exit 5\n");
    terminal.shows("is1");
    assert_eq!(terminal.ends(), 5);
    assert_eq!(host.inspect(&name, "{{.State.ExitCode}}"), "5");
}

#[test]
fn stop_and_rm_work_after_a_restart() {
    let mut host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("box"));
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "300"]);
    host.run(&["pause", &name]);
    host.kill_daemon_and_restart();
    assert_eq!(host.inspect(&name, "{{.State.Status}}"), "paused");
    host.run(&["unpause", &name]);
    host.run(&["stop", "-t", "0", &name]);
    assert_eq!(host.inspect(&name, "{{.State.ExitCode}}"), "137");
    host.run(&["rm", &name]);
}
