//! The relay on plain child processes: what they say and hear, whoever is attached.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;
use crate::protocol::{LogDriver, LogPlan};

const ALL: Streams = Streams { stdin: true, stdout: true, stderr: true };

struct Stage {
    child: Child,
    relay: Relay,
    poller: Poller,
    scratch: Scratch,
}

fn stage(script: &str, stdin_once: bool) -> Stage {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).unwrap();
    let ((in_r, in_w), (out_r, out_w), (err_r, err_w)) = (pipe(), pipe(), pipe());
    for end in [&in_w, &out_r, &err_r] {
        fcntl_setfl(end, OFlags::NONBLOCK).unwrap();
    }
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::from(in_r)).stdout(Stdio::from(out_w)).stderr(Stdio::from(err_w));
    let child = command.spawn().unwrap();
    drop(command);
    let ends = Ends { stdin: Some(in_w), stdout: Some(out_r), stderr: Some(err_r), terminal: false };
    Stage { child, relay: Relay::new(0, ends, stdin_once), poller: Poller::new().unwrap(), scratch: Scratch::default() }
}

impl Stage {
    fn attach(&mut self, streams: Streams, from_birth: bool) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.relay.attach(theirs.into(), streams, from_birth, &self.poller);
        ours
    }

    /// One turn; false: nothing happened for a while.
    fn turn(&mut self) -> bool {
        let events = self.poller.wait(Some(Timespec::try_from(Duration::from_millis(20)).unwrap())).unwrap();
        for event in &events {
            let Token::Stream(_, part) = event.token else { panic!("{event:?}") };
            self.relay.ready(part, event.flags, &mut self.scratch, &self.poller);
        }
        !events.is_empty()
    }

    fn turn_until(&mut self, done: impl Fn(&Self) -> bool) {
        let limit = Instant::now() + Duration::from_secs(120);
        while !done(self) {
            assert!(Instant::now() < limit, "it does not come to that");
            self.turn();
        }
    }

    /// Turns until the process is gone, then the end as the server makes it.
    fn play(mut self) {
        self.relay.begin(&self.poller);
        while self.child.try_wait().unwrap().is_none() {
            self.turn();
        }
        self.relay.drain(&mut self.scratch, &self.poller);
        self.relay.finish(&self.poller);
        while !self.relay.is_finished() {
            self.turn();
        }
    }
}

/// Takes frames apart: what came on stdout, what on stderr.
fn unframe(mut bytes: &[u8]) -> [Vec<u8>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        let length = u32::from_be_bytes(header[4..].try_into().unwrap()) as usize;
        assert_eq!(header[1..4], [0; 3]);
        streams[header[0] as usize - 1].extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    streams
}

fn reading(mut stream: UnixStream) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

fn logged(path: &std::path::Path) -> [String; 2] {
    let mut streams = [String::new(), String::new()];
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let stream = usize::from(entry["stream"] == "stderr");
        streams[stream].push_str(entry["log"].as_str().unwrap());
    }
    streams
}

#[test]
fn everybody_gets_everything_once_and_so_does_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let mut stage = stage("seq 1 200000; seq 1 1000 >&2; printf 'no newline'", false);
    let plan = LogPlan { driver: LogDriver::JsonFile, path: path.clone(), max_size: Some(0), ..LogPlan::default() };
    stage.relay.keep_in(Log::open(&plan));
    let clients = [stage.attach(ALL, true), stage.attach(ALL, false)].map(reading);
    let only_errors = reading(stage.attach(Streams { stderr: true, ..Streams::default() }, false));
    stage.play();
    let numbers = |last: u32| (1..=last).map(|number| format!("{number}\n")).collect::<String>();
    let expected = [numbers(200_000) + "no newline", numbers(1000)];
    for client in clients {
        let [out, err] = unframe(&client.join().unwrap());
        assert!(out == expected[0].as_bytes() && err == expected[1].as_bytes());
    }
    assert!(unframe(&only_errors.join().unwrap())[1] == expected[1].as_bytes());
    assert!(logged(&path) == expected);
}

#[test]
fn the_first_clients_end_of_input_ends_stdin_once() {
    let mut stage = stage("cat; echo over", true);
    let mut client = stage.attach(ALL, true);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let (mut writer, expected) = (client.try_clone().unwrap(), bytes.clone());
    let writing = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let got = reading(client.try_clone().unwrap());
    stage.play();
    writing.join().unwrap();
    let [out, _] = unframe(&got.join().unwrap());
    assert!(out == [&expected[..], b"over\n"].concat());
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn what_a_client_wrote_before_it_vanished_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("got");
    let mut stage = stage(&format!("sleep 0.2; cat > {}", path.display()), true);
    let mut client = stage.attach(ALL, true);
    let bytes = vec![b'x'; 150_000];
    client.write_all(&bytes).unwrap();
    drop(client);
    stage.play();
    assert_eq!(std::fs::read(path).unwrap(), bytes);
}

#[test]
fn without_stdin_once_a_second_client_goes_on() {
    let mut stage = stage("read a; read b; echo $a-$b", false);
    let mut first = stage.attach(ALL, true);
    first.write_all(b"one\n").unwrap();
    drop(first);
    stage.relay.begin(&stage.poller);
    while stage.turn() {}
    let mut second = stage.attach(ALL, false);
    second.write_all(b"two\n").unwrap();
    let got = reading(second);
    stage.play();
    assert_eq!(unframe(&got.join().unwrap())[0], b"one-two\n");
}

#[test]
fn a_stuck_onlooker_holds_nobody_up_for_ever() {
    let mut stage = stage("head -c 5000000 /dev/zero", false);
    let stuck = stage.attach(ALL, false);
    let good = reading(stage.attach(ALL, true));
    stage.relay.begin(&stage.poller);
    // The process may take its time to begin.
    stage.turn_until(|stage| stage.relay.deadline().is_some());
    assert!(stage.child.try_wait().unwrap().is_none(), "the process waits for the stuck client");
    stage.relay.expire(Instant::now() + client::PATIENCE, &stage.poller);
    stage.play();
    assert_eq!(unframe(&good.join().unwrap())[0].len(), 5_000_000);
    drop(stuck);
}

#[test]
fn the_process_waits_for_its_only_client_without_limit() {
    let mut stage = stage("head -c 3000000 /dev/zero", false);
    let client = stage.attach(ALL, true);
    stage.relay.begin(&stage.poller);
    while stage.turn() {}
    assert!(stage.relay.deadline().is_none());
    let got = reading(client);
    stage.play();
    assert_eq!(unframe(&got.join().unwrap())[0].len(), 3_000_000);
}

#[test]
fn a_process_that_closed_its_stdin_is_not_held_up_by_writers() {
    let mut stage = stage("exec <&-; sleep 0.3; echo done", true);
    let mut client = stage.attach(ALL, true);
    let mut writer = client.try_clone().unwrap();
    let writing = std::thread::spawn(move || while writer.write_all(&[b'x'; 4096]).is_ok() {});
    stage.play();
    let mut got = Vec::new();
    // The stream is closed with input unread, which a unix socket tells as a reset once everything was read.
    let _ = client.read_to_end(&mut got);
    assert_eq!(unframe(&got)[0], b"done\n");
    writing.join().unwrap();
}
