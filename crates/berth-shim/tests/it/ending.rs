//! How containers end, and how some never begin.

use berth_shim::client::ClientError;
use berth_shim::protocol::{Code, Request, Response, Signal, State};

use crate::stage::{Stage, eventually, no_trace_of};

#[test]
fn signals_count_from_128() {
    let mut container =
        Stage::new(&["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"]).start();
    eventually("the trap is set", || container.logged()[0].contains("ready"));
    container.done(Request::Signal(Signal { exec: None, signal: 15 }));
    assert_eq!(container.end().code, 5);
    let mut container = Stage::new(&["sleep", "100"]).start();
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    assert_eq!(container.end().code, 137);
}

#[test]
fn a_failed_launch_leaves_nothing() {
    for (args, code) in [(["nosuchcmd"], Code::NotFound), (["/etc"], Code::NotExecutable)] {
        let Err((error, directory, id)) = Stage::new(&args).try_start() else { panic!("it started") };
        let ClientError::Launch(failure) = error else { panic!("{error:?}") };
        assert_eq!(failure.code, code, "{failure}");
        assert!(failure.message.contains(args[0]), "{failure}");
        no_trace_of(&id);
        assert!(!directory.path().join("exit").exists() && !directory.path().join("socket").exists());
    }
}

#[test]
fn a_paused_container_can_be_killed() {
    let mut container = Stage::new(&["sh", "-c", "while :; do :; done"]).start();
    container.done(Request::Pause {});
    let Response::Status(status) = container.call(Request::Status {}) else { panic!() };
    assert_eq!(status.state, State::Paused);
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    assert_eq!(container.end().code, 137);
}

#[test]
fn pausing_stops_and_resuming_continues() {
    let mut container = Stage::new(&["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; usleep 1000; done"]).start();
    eventually("it counts", || container.logged()[0].lines().count() > 5);
    container.done(Request::Pause {});
    let lines = || container.logged()[0].lines().count();
    // What was in the pipe when it froze may still arrive; then nothing new does.
    let mut before = lines();
    eventually("it stands still", || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        std::mem::replace(&mut before, lines()) == before
    });
    container.done(Request::Resume {});
    eventually("it goes on", || container.logged()[0].lines().count() > before + 5);
    container.done(Request::Signal(Signal { exec: None, signal: 9 }));
    container.end();
}

#[test]
fn a_container_that_is_over_at_once_leaves_its_record() {
    for _ in 0..20 {
        assert_eq!(Stage::new(&["sh", "-c", "exit 9"]).start().end().code, 9);
    }
}

/// How many there are, the dead among them.
fn children(pid: i32) -> usize {
    let parent = format!("\nPPid:\t{pid}\n");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let statuses = processes.filter_map(|process| std::fs::read_to_string(process.path().join("status")).ok());
    statuses.filter(|status| status.contains(&parent)).count()
}

#[test]
fn the_shims_init_hands_signals_on_and_reaps() {
    let shim = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/shim");
    let script = "trap 'exit 6' TERM; (sleep 0.05 &) ; echo ready; sleep 1000 & wait";
    let args = ["/sbin/docker-init", "--", "sh", "-c", script];
    let stage = Stage::new(&args);
    std::fs::copy(shim, stage.directory.path().join("rootfs/sbin/docker-init")).unwrap();
    let mut container = stage.start();
    eventually("it runs", || container.logged()[0].contains("ready"));
    // By now the orphan is init's child; one that is not reaped would stay.
    let init = container.launched.pid;
    eventually("the orphan is reaped", || children(init) == 1);
    container.done(Request::Signal(Signal { exec: None, signal: 15 }));
    assert_eq!(container.end().code, 6);
}
