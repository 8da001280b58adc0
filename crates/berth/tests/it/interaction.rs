//! Being in a container: exec, attach, detach, logs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
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
    a129_exec_is_binary_clean,
    a129_exec_codes_in_a_row,
    a130_websocket,
    a130_a_slow_client,
    a131_configured_keys,
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
    // `run` makes its working directory, `exec` does not.
    let nowhere = host.try_run(&["exec", "-w", "/nowhere", &name, "true"]);
    assert_eq!(nowhere.code, 126);
    assert!(format!("{}{}", nowhere.out, nowhere.err).contains("chdir to cwd (\"/nowhere\")"), "{nowhere:?}");
    assert_eq!(host.try_run(&["exec", &name, "ls", "-d", "/nowhere"]).code, 1);
    let done = host.run_with_input(&["exec", "-i", &name, "cat"], b"in\n");
    assert_eq!((done.code, done.out.as_str()), (0, "in"));
    let done = host.try_run(&["exec", &name, "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out", "err\n"));
    host.run(&["exec", "-d", &name, "touch", "/detached"]);
    until("it ran", || host.try_run(&["exec", &name, "ls", "/detached"]).ok());
    host.run(&["rm", "-f", &name]);
}

fn a129_exec_errors(host: &Host) {
    let name = running(host);
    let done = host.try_run(&["exec", &name, "nosuchcmd"]);
    assert!(matches!(done.code, 126 | 127), "{done:?}");
    assert!((done.err + &done.out).contains("executable file not found in $PATH"));
    host.try_run(&["exec", "nosuch", "true"]).fails_with(1, "No such container: nosuch");
    host.run(&["kill", &name]);
    until("it is not running", || {
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
    let script = "until [ -e /go ]; do echo here; usleep 50000; done; read x; echo got $x";
    host.run(&["run", "-d", "-i", "--name", &name, &image, "sh", "-c", script]);
    let start = |args: &[&str]| {
        let mut command = host.command();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut watcher = start(&["attach", "--no-stdin", &name]);
    let mut typist = start(&["attach", &name]);
    for client in [&mut watcher, &mut typist] {
        let mut line = [0; 5];
        client.stdout.as_mut().expect("piped").read_exact(&mut line).unwrap();
        assert_eq!(&line, b"here\n");
    }
    host.run(&["exec", &name, "touch", "/go"]);
    let mut keyboard = typist.stdin.take().expect("piped");
    keyboard.write_all(b"it\n").unwrap();
    let heard = |client: std::process::Child| String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap();
    let (typist, watcher) = (heard(typist), heard(watcher));
    for heard in [&typist, &watcher] {
        assert_eq!(heard.trim_start_matches("here\n"), "got it\n");
    }
    drop(keyboard);
    host.run(&["rm", "-f", &name]);
}

/// A client that speaks HTTP by hand, for what no command line does.
fn upgraded(host: &Host, request: &str) -> (String, UnixStream) {
    let path = host.address().strip_prefix("unix://").unwrap();
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (String::from_utf8(head).unwrap(), stream)
}

fn websocket(host: &Host, name: &str, query: &str) -> (String, UnixStream) {
    let request = format!(
        "GET /v1.43/containers/{name}/attach/ws?{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Origin: http://x\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    upgraded(host, &request)
}

/// The payloads of messages until the other side says goodbye.
fn messages(stream: &mut UnixStream) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let mut head = [0; 2];
        if stream.read_exact(&mut head).is_err() || head[0] == 0x88 {
            return all;
        }
        assert_eq!((head[0], head[1] < 126), (0x82, true), "{head:?}");
        let mut payload = vec![0; head[1].into()];
        stream.read_exact(&mut payload).unwrap();
        all.extend(payload);
    }
}

fn a130_websocket(host: &Host) {
    let (image, name) = (host.image(), host.name("ws"));
    host.run(&["run", "-di", "--name", &name, &image, "sh", "-c", "echo before; read x; echo got $x; echo err >&2"]);
    until("it has spoken", || host.run(&["logs", &name]) == "before");
    let (head, mut stream) = websocket(host, &name, "stream=1&stdin=1&stdout=1&stderr=1&logs=1");
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    // A masked message whose mask is zeros.
    stream.write_all(b"\x82\x83\0\0\0\0it\n").unwrap();
    assert_eq!(String::from_utf8(messages(&mut stream)).unwrap(), "before\ngot it\nerr\n");
    let (head, _) = upgraded(host, &format!("GET /containers/{name}/attach/ws HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    host.run(&["rm", &name]);
}

/// Bytes of every kind, both ways, and both ends closed where they end.
fn a129_exec_is_binary_clean(host: &Host) {
    let name = running(host);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut command = host.command();
    let child = command.args(["exec", "-i", &name, "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let (mut stdin, sent) = (child.stdin.take().unwrap(), bytes.clone());
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success() && output.stdout == bytes, "{} bytes", output.stdout.len());
    host.run(&["rm", "-f", &name]);
}

/// The exit code is known as soon as the stream has ended, however often one asks.
fn a129_exec_codes_in_a_row(host: &Host) {
    let name = running(host);
    for code in 1..30 {
        assert_eq!(host.try_run(&["exec", &name, "sh", "-c", &format!("exit {code}")]).code, code);
    }
    host.run(&["rm", "-f", &name]);
}

/// An exec session goes on while the daemon is away: nobody stands between it and its client.
#[test]
fn a129_exec_outlives_the_daemon() {
    let mut host = Host::start(crate::host::Cli::Ours);
    let name = running(&host);
    let mut command = host.command();
    let child = command.args(["exec", "-i", &name, "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut echo = |text: &[u8]| {
        stdin.write_all(text).unwrap();
        let mut back = vec![0; text.len()];
        stdout.read_exact(&mut back).unwrap();
        assert_eq!(back, text);
    };
    echo(b"before");
    host.kill_daemon_and_restart();
    echo(b"after");
    drop(stdin);
    child.wait().unwrap();
    host.run(&["rm", "-f", &name]);
}

/// A client that does not read is waited for by nobody else, and no log line is lost.
fn a130_a_slow_client(host: &Host) {
    let (image, name) = (host.image(), host.name("slow"));
    host.run(&["run", "-di", "--name", &name, &image, "sh", "-c", "read x; seq 1 400000; read x"]);
    let start = |args: &[&str]| {
        let mut command = host.command();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut slow = start(&["attach", "--no-stdin", &name]);
    let mut quick = start(&["attach", &name]);
    // Both are there once what one types comes back to both.
    let (mut typist, mut out) = (quick.stdin.take().unwrap(), quick.stdout.take().unwrap());
    until("the typist is attached", || {
        typist.write_all(b"go\n").unwrap();
        let mut line = [0; 2];
        out.read_exact(&mut line).unwrap();
        true
    });
    let mut rest = String::new();
    std::io::BufReader::new(&mut out).take(2_688_893).read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("400000\n"), "{}", &rest[rest.len() - 20..]);
    assert_eq!(host.run(&["logs", &name]).lines().count(), 400_000);
    host.run(&["rm", "-f", &name]);
    slow.kill().unwrap();
    slow.wait().unwrap();
    quick.wait().unwrap();
}

fn a131_configured_keys(host: &Host) {
    let (image, name) = (host.image(), host.name("keys"));
    let config = host.config_dir();
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.json"), r#"{"detachKeys": "ctrl-e,e"}"#).unwrap();
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["run", "-it", "--name", &name, &image, "sh"]));
    terminal.type_in("echo up$((0+1))\n");
    terminal.shows("up1");
    terminal.type_in("\x05e");
    assert_eq!(terminal.ends(), 0);
    assert_eq!(host.inspect(&name, "{{.State.Running}}"), "true");
    host.try_run(&["attach", "--detach-keys", "nokey", &name]);
    host.run(&["rm", "-f", &name]);
}
