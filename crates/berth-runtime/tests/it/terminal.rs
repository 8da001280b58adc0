//! What is handed over a socket: terminals, and the listener of a seccomp profile that notifies.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;

use crate::bundle::{Bundle, ours};

fn receive(listener: &UnixListener) -> std::fs::File {
    receive_with_text(listener).0
}

fn receive_with_text(listener: &UnixListener) -> (std::fs::File, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut text = [0; 8192];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(&stream, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let fd: OwnedFd = control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        })
        .expect("a descriptor comes along");
    (fd.into(), String::from_utf8_lossy(&text[..received.bytes]).into_owned())
}

/// Reads until `end` has come.
fn read_until(terminal: &mut std::fs::File, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.contains(end) {
        let length = terminal.read(&mut buffer).unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    text
}

#[test]
fn a_terminal_is_the_containers_own_and_has_its_size() {
    let mut bundle = Bundle::new(
        "tty; stty size; test -c /dev/console && echo console; read line; echo \"got $line\"; exec sleep 1000",
    );
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({ "height": 33, "width": 101 });
    bundle.write();
    let path = bundle.directory.join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let words =
        ["create", "--console-socket", path.to_str().unwrap(), "-b", bundle.directory.to_str().unwrap(), &bundle.id];
    bundle.command(&words).ok();
    let mut terminal = receive(&listener);
    bundle.command(&["start", &bundle.id]).ok();
    let text = read_until(&mut terminal, "console\r\n");
    assert!(text.contains("/dev/pts/0\r\n33 101\r\n"), "{text}");
    terminal.write_all(b"word\n").unwrap();
    read_until(&mut terminal, "got word");

    let words = [
        "exec",
        "-t",
        "-d",
        "--console-socket",
        path.to_str().unwrap(),
        &bundle.id,
        "sh",
        "-c",
        "tty; exec sleep 1000",
    ];
    bundle.command(&words).ok();
    let mut second = receive(&listener);
    assert!(read_until(&mut second, "\n").contains("/dev/pts/1"));
}

#[test]
fn a_terminal_without_a_reader_is_refused() {
    if !ours() {
        return;
    }
    let mut bundle = Bundle::new("true");
    bundle.config["process"]["terminal"] = json!(true);
    assert!(bundle.create().failed().contains("--console-socket"));
}

#[test]
fn a_seccomp_agent_gets_the_listener_and_the_state() {
    let mut bundle = Bundle::new("mkdir /tmp/x; exec sleep 1000");
    let path = bundle.directory.join("agent.sock");
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "listenerPath": path,
        "listenerMetadata": "mine",
        "syscalls": [{ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let agent = UnixListener::bind(&path).unwrap();
    let receiver = std::thread::spawn(move || receive_with_text(&agent));
    bundle.start();
    let (listener, text) = receiver.join().unwrap();
    let state: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&state["fds"], &state["metadata"]), (&json!(["seccompFd"]), &json!("mine")));
    assert_eq!(state["state"]["id"], json!(bundle.id));
    // With nobody to answer, the call does not exist.
    drop(listener);
    let goes_on = |line: &str| line.ends_with(" sleep 1000") && !line.contains("mkdir");
    super::lifecycle::until("the call is answered", || bundle.exec("ps").ok().lines().any(goes_on));
    assert!(!bundle.root().join("tmp/x").exists());
}
