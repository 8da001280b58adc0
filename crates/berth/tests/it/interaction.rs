//! Being in a container: exec, attach, detach, logs.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crate::host::{Host, until};
use crate::terminal::Terminal;

rows![
    a129_exec,
    a129_exec_errors,
    a129_exec_terminal,
    a130_attach,
    a131_detach,
    a131_custom_keys,
    a132_logs,
    a132_logs_follow,
    two_clients_see_the_same,
];

fn running(host: &Host) -> String {
    let (image, name) = (host.image(), host.name("box"));
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "300"]);
    name
}

fn a129_exec(host: &Host) {
    let name = running(host);
    assert_eq!(host.try_run(&["exec", &name, "sh", "-c", "exit 5"]).code, 5);
    let script = "id -un; pwd; echo $Q";
    let out = host.run(&["exec", "-u", "web", "-w", "/tmp", "-e", "Q=1", &name, "sh", "-c", script]);
    assert_eq!(out, "web\n/tmp\n1");
    let done = host.run_with_input(&["exec", "-i", &name, "cat"], b"in\n");
    assert_eq!((done.code, done.out.as_str()), (0, "in"));
    let done = host.try_run(&["exec", &name, "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out", "err\n"));
    host.run(&["exec", "-d", &name, "touch", "/detached"]);
    until("it ran", Duration::from_secs(10), || host.try_run(&["exec", &name, "ls", "/detached"]).ok());
    host.run(&["rm", "-f", &name]);
}

fn a129_exec_errors(host: &Host) {
    let name = running(host);
    let done = host.try_run(&["exec", &name, "nosuchcmd"]);
    assert!(matches!(done.code, 126 | 127), "{done:?}");
    assert!((done.err + &done.out).contains("executable file not found in $PATH"));
    host.try_run(&["exec", "nosuch", "true"]).fails_with(1, "No such container: nosuch");
    host.run(&["kill", &name]);
    until("it is not running", Duration::from_secs(10), || {
        let done = host.try_run(&["exec", &name, "true"]);
        done.code == 1 && done.err.contains("is not running")
    });
    host.run(&["rm", &name]);
}

fn a129_exec_terminal(host: &Host) {
    let name = running(host);
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["exec", "-it", &name, "sh"]));
    terminal.shows("#");
    terminal.type_in("tty; stty size\n");
    terminal.shows("/dev/pts/");
    terminal.shows("24 80");
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.ends(), 3);
    host.run(&["rm", "-f", &name]);
}

fn a130_attach(host: &Host) {
    let (image, name) = (host.image(), host.name("tty"));
    let mut command = host.command();
    let first = Terminal::start(command.args(["run", "-it", "--name", &name, &image, "sh"]));
    first.shows("#");
    first.type_in("echo one$((0+1))\n");
    first.shows("one1");
    first.type_in("\x10\x11");
    assert_eq!(first.ends(), 0);
    let mut command = host.command();
    let second = Terminal::start(command.args(["attach", &name]));
    second.type_in("echo two$((1+1))\n");
    second.shows("two2");
    second.type_in("exit 4\n");
    assert_eq!(second.ends(), 4);
    host.run(&["rm", &name]);
}

fn a131_detach(host: &Host) {
    let (image, name) = (host.image(), host.name("tty"));
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["run", "-it", "--name", &name, &image, "sh"]));
    terminal.shows("#");
    terminal.type_in("echo up$((0+1))\n");
    terminal.shows("up1");
    terminal.type_in("\x10\x11");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(host.inspect(&name, "{{.State.Running}}"), "true");
    let mut command = host.command();
    let attached = Terminal::start(command.args(["attach", &name]));
    attached.type_in("\n");
    attached.shows("#");
    attached.type_in("\x10\x11");
    attached.shows("read escape sequence");
    assert_eq!(attached.ends(), 1);
    host.run(&["rm", "-f", &name]);
}

fn a131_custom_keys(host: &Host) {
    let (image, name) = (host.image(), host.name("tty"));
    let mut command = host.command();
    let args = ["run", "-it", "--detach-keys", "ctrl-x,x", "--name", &name, &image, "sh"];
    let terminal = Terminal::start(command.args(args));
    terminal.type_in("echo up$((0+1))\n");
    terminal.shows("up1");
    terminal.type_in("\x18x");
    assert_eq!(terminal.ends(), 0);
    host.run(&["rm", "-f", &name]);
}

fn a132_logs(host: &Host) {
    let (image, name) = (host.image(), host.name("logs"));
    let script = "for i in 1 2 3; do echo out$i; done; echo err1 >&2; sleep 0.2; printf tail";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    host.run(&["wait", &name]);
    let done = host.try_run(&["logs", &name]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out1\nout2\nout3\ntail", "err1\n"));
    let stamped = host.run(&["logs", "-t", "-n", "1", &name]);
    let (stamp, text) = stamped.split_once(' ').unwrap();
    assert_eq!(text, "tail");
    assert!(stamp.len() == 30 && stamp.ends_with('Z'), "{stamp}");
    let until_then = host.run(&["logs", "--since", "1h", &name]);
    assert!(until_then.starts_with("out1"), "{until_then}");
    assert_eq!(host.run(&["logs", "--until", "1h", &name]), "");
    host.run(&["rm", &name]);
}

fn a132_logs_follow(host: &Host) {
    let (image, name) = (host.image(), host.name("follow"));
    let script = "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    assert_eq!(host.run(&["logs", "-f", &name]), "1\n2\n3\n4\n5");
    host.run(&["rm", "-f", &name]);
}

fn two_clients_see_the_same(host: &Host) {
    let (image, name) = (host.image(), host.name("two"));
    host.run(&["run", "-d", "-i", "--name", &name, &image, "sh", "-c", "read x; echo got $x; sleep 0.3"]);
    let mut watcher = host.command();
    let watcher = watcher.args(["attach", "--no-stdin", &name]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let mut typist = host.command();
    let typist = typist.args(["attach", &name]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut typist = typist.spawn().unwrap();
    let mut keyboard = typist.stdin.take().expect("piped");
    keyboard.write_all(b"it\n").unwrap();
    assert_eq!(typist.wait_with_output().unwrap().stdout, b"got it\n");
    drop(keyboard);
    assert_eq!(watcher.wait_with_output().unwrap().stdout, b"got it\n");
    host.run(&["rm", "-f", &name]);
}
