//! The init that `--init` puts into a container: pid 1 that hands signals on, reaps orphans, and ends as its child does.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use berth_sys::fork::fork;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, kill_process, wait};
use rustix::termios::tcsetpgrp;

use crate::session::exit_code;

/// SIGKILL and SIGSTOP cannot be taken; faults of our own are ours; SIGTTIN and SIGTTOU are for us, as taking the
/// terminal for the child raises them.
const KEPT: [i32; 9] = [4, 5, 7, 8, 9, 11, 19, 21, 22];
const SIGCHLD: i32 = 17;

/// Runs `docker-init [--] COMMAND [ARG…]` as pid 1 and ends as the command does; `args` is the whole argument vector.
#[must_use]
pub fn init_main(args: Vec<OsString>) -> ExitCode {
    let mut command = args.into_iter().skip(1).skip_while(|arg| arg == "--" || arg == "-s");
    let Some(program) = command.next() else {
        eprintln!("docker-init: no command to run");
        return ExitCode::FAILURE;
    };
    let signals: Vec<i32> = (1..=31).filter(|signal| !KEPT.contains(signal)).collect();
    let Ok(signals) = berth_sys::signal::signalfd(&signals) else {
        eprintln!("docker-init: cannot take signals");
        return ExitCode::FAILURE;
    };
    let arguments: Vec<OsString> = command.collect();
    match fork(|| become_command(&program, &arguments)) {
        Ok(child) => serve(child.0, &signals),
        Err(error) => {
            eprintln!("docker-init: cannot start a process: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns only when it failed.
fn become_command(program: &OsString, arguments: &[OsString]) -> i32 {
    // A command started by std would keep the signals blocked that we took.
    berth_sys::signal::reset();
    // A group of its own, so that the terminal's job control is the child's.
    let _ = rustix::process::setpgid(None, None);
    let error = Command::new(program).args(arguments).exec();
    eprintln!("docker-init: cannot run {}: {error}", program.display());
    if error.kind() == ErrorKind::NotFound { 127 } else { 126 }
}

fn serve(child: i32, signals: &OwnedFd) -> ExitCode {
    let Some(child) = Pid::from_raw(child) else { return ExitCode::FAILURE };
    // Without a terminal there is nothing to hand over.
    let _ = tcsetpgrp(std::io::stdin(), child);
    loop {
        while let Ok(Some(number)) = berth_sys::signal::next(signals) {
            if number != SIGCHLD
                && let Some(signal) = rustix::process::Signal::from_named_raw(number)
            {
                // It may have ended; then we end below.
                let _ = kill_process(child, signal);
            }
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == child {
                return ExitCode::from(exit_code(status) as u8);
            }
        }
        // An interruption only means one more turn.
        let _ = poll(&mut [PollFd::new(signals, PollFlags::IN)], None);
    }
}
