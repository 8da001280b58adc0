//! The daemon goes, the container stays: no line is lost or doubled, and the end is recorded.

use std::path::Path;

use berth_shim::ExitRecord;
use berth_shim::client::Connection;
use berth_shim::protocol::{Event, Request, Response, Signal, State};

use crate::stage::{Stage, eventually, greeted, logged, next_event, no_trace_of, read_all};

/// It does not come to its end before there is a file `/go`.
const COUNT: &str = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo line $i; usleep 500; \
                     if [ $i = 1000 ]; then while ! [ -e /go ]; do usleep 10000; done; fi; done; exit 8";

/// The client as a process of its own, to be killed: this test binary, asked by its environment to play it.
#[test]
fn a_killed_client_loses_nobody_a_line() {
    if let Ok(directory) = std::env::var("BERTH_SHIM_TEST_CLIENT") {
        return play_the_client(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let name = "survival::a_killed_client_loses_nobody_a_line";
    let mut client = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("BERTH_SHIM_TEST_CLIENT", directory.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let told = directory.path().join("container");
    eventually("the client has a container", || told.exists());
    let stage = std::fs::read_to_string(&told).unwrap();
    let [at, id] = stage.split('\n').collect::<Vec<_>>()[..] else { panic!("{stage}") };
    let at = Path::new(at);
    eventually("it counts", || std::fs::metadata(at.join("log")).is_ok_and(|log| log.len() > 2000));
    client.kill().unwrap();
    client.wait().unwrap();
    let mut connection = Connection::connect(&at.join("socket")).unwrap();
    let Response::Status(status) = connection.call(Request::Status {}, vec![]).unwrap() else { panic!() };
    assert_eq!((status.id.as_str(), &status.state), (id, &State::Running));
    std::fs::write(at.join("rootfs/go"), "").unwrap();
    assert!(matches!(next_event(&mut connection), Event::Exited { code: 8, .. }));
    let expected: String = (1..=2000).map(|number| format!("line {number}\n")).collect();
    assert!(logged(&at.join("log"))[0] == expected);
    eventually("the shim is gone", || connection.receive().is_err());
    eventually("the cgroup is gone", || std::panic::catch_unwind(|| no_trace_of(id)).is_ok());
    std::fs::remove_dir_all(at).unwrap();
}

fn play_the_client(directory: &Path) {
    let mut stage = Stage::new(&["sh", "-c", COUNT]);
    let mut attached = stage.attach(crate::stage::OUTPUT);
    let container = stage.start();
    let text = format!("{}\n{}", container.directory.path().display(), container.id);
    std::fs::write(directory.join("new"), text).unwrap();
    std::fs::rename(directory.join("new"), directory.join("container")).unwrap();
    read_all(&mut attached);
    unreachable!("killed before the container ends");
}

#[test]
fn whoever_comes_too_late_finds_the_record() {
    let mut container = Stage::new(&["sh", "-c", "sleep 0.2; exit 3"]).start();
    let (record, socket, shim) = (container.record.clone(), container.socket.clone(), container.shim);
    // The end is said to nobody: it waits unread until the shim is gone.
    container.connection.reap();
    assert!(!Path::new(&format!("/proc/{shim}")).exists());
    assert_eq!(ExitRecord::read(&record).unwrap().unwrap().code, 3);
    assert!(Connection::connect(&socket).is_err());
}

#[test]
fn several_daemons_hear_the_end() {
    let mut container = Stage::new(&["sleep", "100"]).start();
    eventually("the shim listens", || Connection::connect(&container.socket).is_ok());
    let mut others: Vec<Connection> = (0..3).map(|_| greeted(&container.socket)).collect();
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    for other in &mut others {
        assert!(matches!(next_event(other), Event::Exited { code: 137, .. }));
    }
    container.end();
}

#[test]
fn nonsense_on_the_socket_harms_only_its_sender() {
    use std::io::{Read, Write};
    let mut container = Stage::new(&["sleep", "100"]).start();
    eventually("the shim listens", || Connection::connect(&container.socket).is_ok());
    for nonsense in [&b"\xff\xff\xff\xff"[..], b"\x03\0\0\0abc", b"\x02\0\0\0{}", b"\x0c\0\0\0{\"fds\":9999}"] {
        let mut stream = std::os::unix::net::UnixStream::connect(&container.socket).unwrap();
        stream.write_all(nonsense).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    let mut stream = std::os::unix::net::UnixStream::connect(&container.socket).unwrap();
    let odd = br#"{"seq":5,"request":{"teleport":{}}}"#;
    stream.write_all(&(odd.len() as u32).to_le_bytes()).unwrap();
    stream.write_all(odd).unwrap();
    let mut heard = String::new();
    while !heard.contains("unsupported") {
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0);
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(matches!(container.call(Request::Status {}), Response::Status(_)));
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    container.end();
}
