//! Starting a daemon where none listens: once, however many ask, and detached from everything of the caller's.
//!
//! Only root, only at the default address, only where the user named no other daemon, and only for commands that
//! need work done. Who gets the lock looks again, starts the daemon and waits until it is ready; everybody else
//! waits for the lock and finds it running. The daemon is exec'd by a step of our own ([`DETACHED`]) that leaves
//! the session first.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use berth_client::Host;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::FlockOperation;
use rustix::io::FdFlags;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::failure::Failure;
use crate::program::Program;

/// The hidden first argument of the step between us and the daemon.
pub(crate) const DETACHED: &str = "__detached-daemon";

/// Where the daemon's output goes.
const LOG: &str = "/var/log/berth.log";

/// How long a daemon may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the daemon inherits of our environment; a proxy is needed for pulls.
const KEPT: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "TZ"];

/// Makes sure that a daemon listens at `host`, if it is up to us to start one.
pub(crate) fn ensure(program: Program, host: &Host) -> Result<(), Failure> {
    let Host::Unix(socket) = host else { return Ok(()) };
    if listens(socket) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let directory = socket.parent().unwrap_or(Path::new("/"));
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::new(format!("no daemon runs and starting one failed: {what}: {error}"))
    };
    std::fs::create_dir_all(directory).map_err(|e| failed(&directory.display().to_string(), &e))?;
    let path = directory.join("start.lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| failed(&path.display().to_string(), &e))?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|e| failed("lock", &e))?;
    if listens(socket) {
        return Ok(());
    }
    let (log, log_path) = open_log(directory).map_err(|e| failed("log file", &e))?;
    start(log, &log_path)
        .map_err(|reason| Failure::new(format!("no daemon runs and starting one failed: {reason}")))?;
    eprintln!("{program}: no daemon was running; started one (its log: {})", log_path.display());
    Ok(())
}

fn listens(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

fn open_log(fallback: &Path) -> std::io::Result<(File, PathBuf)> {
    let open = |path: &Path| OpenOptions::new().create(true).append(true).read(true).mode(0o640).open(path);
    let usual = PathBuf::from(LOG);
    match open(&usual) {
        Ok(file) => Ok((file, usual)),
        Err(_) => {
            let path = fallback.join("berth.log");
            open(&path).map(|file| (file, path))
        }
    }
}

/// Starts the daemon and waits for its byte.
fn start(mut log: File, log_path: &Path) -> Result<(), String> {
    let began = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let (ready, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| format!("pipe: {e}"))?;
    // The one descriptor the daemon is to inherit; nothing else runs in this process yet.
    rustix::io::fcntl_setfd(&theirs, FdFlags::empty()).map_err(|e| format!("pipe: {e}"))?;
    let output = || log.try_clone().map(Stdio::from).map_err(|e| format!("{}: {e}", log_path.display()));
    let mut command = Command::new(own_path());
    command.arg0("berth").arg(DETACHED).env_clear().current_dir("/");
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("BERTH_READY_FD", theirs.as_raw_fd().to_string());
    command.envs(KEPT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
    command.stdin(Stdio::null()).stdout(output()?).stderr(output()?);
    let child = command.spawn().map_err(|e| format!("{}: {e}", own_path().display()))?;
    drop(theirs);
    leave_cgroups(child.id());
    if is_ready(&ready) {
        return Ok(());
    }
    let mut said = String::new();
    _ = log.seek(SeekFrom::Start(began)).and_then(|_| log.read_to_string(&mut said));
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines[lines.len().saturating_sub(10)..].join("\n  ");
    Err(format!("it did not get ready\n  {tail}\nhint: the whole log is {}", log_path.display()))
}

/// Waits for the byte that says "ready"; the end of the pipe without it says "failed".
fn is_ready(ready: &OwnedFd) -> bool {
    let timeout = rustix::event::Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let mut fds = [PollFd::new(ready, PollFlags::IN)];
    loop {
        match poll(&mut fds, Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(n) if n > 0 => break,
            _ => return false,
        }
    }
    rustix::io::read(ready, &mut [0u8; 1][..]) == Ok(1)
}

/// Takes the daemon out of the login session's cgroups, so that the end of the session is not its end. Where we may
/// not, it stays where it is.
fn leave_cgroups(pid: u32) {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for procs in std::iter::once(root.to_owned()).chain(hierarchies).map(|dir| dir.join("cgroup.procs")) {
        if procs.exists() && !is_child_group(&procs) {
            _ = std::fs::write(procs, pid.to_string());
        }
    }
}

/// On cgroup v2 the directories below the root are groups, not hierarchies.
fn is_child_group(procs: &Path) -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists() && procs.parent() != Some(Path::new("/sys/fs/cgroup"))
}

/// Our program by its path, so that the daemon bears its name; where that path is gone, by what is running.
fn own_path() -> PathBuf {
    std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// `berth -H … daemon …`: the daemon is another part of the program, reached by its first argument.
pub(crate) fn become_daemon(hosts: &[String], words: &[String]) -> Failure {
    let mut command = Command::new(own_path());
    command.arg0("berth").arg("daemon");
    hosts.iter().for_each(|host| _ = command.arg("-H").arg(host));
    Failure::new(format!("starting the daemon: {}", command.args(words).exec()))
}

/// The step between: leaves the session and becomes the daemon.
pub(crate) fn exec_daemon() -> ExitCode {
    if let Err(error) = rustix::process::setsid() {
        eprintln!("berth: leaving the session: {error}");
    }
    let error = Command::new(own_path()).arg0("berth").arg("daemon").exec();
    eprintln!("berth: starting the daemon: {error}");
    ExitCode::FAILURE
}
