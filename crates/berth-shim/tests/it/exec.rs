//! Further processes in a running container.

use std::net::Shutdown;

use berth_shim::protocol::{Code, Event, Request, Resize, Response, Signal, StdioPlan};

use crate::stage::{Stage, exec, read_all, read_until, say, unframe};

const ONCE: StdioPlan = StdioPlan { tty: false, open_stdin: true, stdin_once: true, rows: 0, columns: 0 };

fn kill(exec: Option<&str>) -> Request {
    Request::Signal(Signal { exec: exec.map(Into::into), signal: 9 })
}

#[test]
fn an_exec_has_streams_and_a_code_of_its_own() {
    let mut container = Stage::new(&["sleep", "100"]).start();
    let mut client = container.exec("e1", &["sh", "-c", "cat; echo err >&2; exit 7"], ONCE);
    say(&mut client, "hello");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(unframe(&read_all(&mut client)), [b"hello".to_vec(), b"err\n".to_vec()]);
    assert!(matches!(container.event(), Event::ExecExited { id, code: 7, .. } if id == "e1"));
    assert_eq!(container.logged()[0], "");
    container.done(kill(None));
    assert_eq!(container.end().code, 137);
}

#[test]
fn an_exec_on_a_terminal() {
    let mut container = Stage::new(&["sleep", "100"]).start();
    let plan = StdioPlan { tty: true, rows: 20, columns: 70, ..ONCE };
    let mut client = container.exec("t", &["sh", "-c", "stty size; read x; stty size"], plan);
    read_until(&mut client, "20 70\r\n");
    container.done(Request::Resize(Resize { exec: Some("t".into()), rows: 21, columns: 71 }));
    say(&mut client, "\n");
    read_until(&mut client, "21 71\r\n");
    assert!(matches!(container.event(), Event::ExecExited { code: 0, .. }));
    container.done(kill(None));
    container.end();
}

#[test]
fn what_cannot_be_executed_is_told_apart_and_leaves_nothing() {
    let mut container = Stage::new(&["sleep", "100"]).start();
    for (program, code) in [("nosuch", Code::NotFound), ("/etc", Code::NotExecutable)] {
        match container.call(exec("x", &[program], StdioPlan::default(), None)) {
            Response::LaunchFailed(failure) => assert_eq!(failure.code, code, "{failure}"),
            other => panic!("{other:?}"),
        }
    }
    let Response::Status(status) = container.call(Request::Status {}) else { panic!() };
    assert_eq!(status.execs, []);
    container.done(kill(None));
    container.end();
}

#[test]
fn inits_death_ends_execs_too() {
    let mut container = Stage::new(&["sleep", "100"]).start();
    container.call(exec("d", &["sleep", "100"], StdioPlan::default(), None));
    container.done(kill(None));
    assert!(matches!(container.event(), Event::ExecExited { code: 137, .. }));
    assert_eq!(container.end().code, 137);
}

#[test]
fn one_exec_can_be_killed_alone() {
    let mut container = Stage::new(&["sleep", "100"]).start();
    container.call(exec("a", &["sleep", "100"], StdioPlan::default(), None));
    container.call(exec("b", &["sleep", "100"], StdioPlan::default(), None));
    container.done(kill(Some("a")));
    assert!(matches!(container.event(), Event::ExecExited { id, .. } if id == "a"));
    assert!(matches!(container.call(kill(Some("a"))), Response::Failed(failure) if failure.code == Code::NotRunning));
    let Response::Status(status) = container.call(Request::Status {}) else { panic!() };
    assert_eq!(status.execs.len(), 1);
    container.done(kill(None));
    container.end();
}
