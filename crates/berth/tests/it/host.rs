//! A daemon of its own for every test, and the command line that talks to it.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{leftovers, registry};

/// Which program the user types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cli {
    /// `berth`
    Ours,
    /// Docker's own command line
    Docker,
}

/// Makes two tests of each row's check, one with each command line.
macro_rules! rows {
    ($($row:ident),+ $(,)?) => {
        $(mod $row {
            #[test]
            fn berth() {
                super::$row(&crate::host::Host::start(crate::host::Cli::Ours));
            }
            #[test]
            fn docker() {
                super::$row(&crate::host::Host::start(crate::host::Cli::Docker));
            }
        })+
    };
}

/// As [`rows`], of checks that start their daemon themselves, or that a function of their file starts it for.
macro_rules! rows_of_own_daemons {
    ($($row:ident),+ $(,)?) => {
        $(mod $row {
            #[test]
            fn berth() {
                super::$row(crate::host::Cli::Ours);
            }
            #[test]
            fn docker() {
                super::$row(crate::host::Cli::Docker);
            }
        })+
    };
    ($through:ident: $($row:ident),+ $(,)?) => {
        $(mod $row {
            #[test]
            fn berth() {
                super::$through(crate::host::Cli::Ours, super::$row);
            }
            #[test]
            fn docker() {
                super::$through(crate::host::Cli::Docker, super::$row);
            }
        })+
    };
}

/// The path of the binary under test.
pub(crate) const BERTH: &str = env!("CARGO_BIN_EXE_berth");

/// An engine and a command line for it.
pub(crate) struct Host {
    cli: Cli,
    address: String,
    /// `None` where an engine was named by `BERTH_TEST_HOST`.
    daemon: Option<Daemon>,
    names: AtomicU32,
    /// Names every container of this host, so that hosts can share an engine.
    prefix: String,
}

/// What a test wants of its daemon beyond the ordinary.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes {
    /// More flags
    pub(crate) flags: Vec<String>,
    /// More variables
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Words that start the daemon somewhere else (`nsenter …`) and are replaced by it
    pub(crate) wrapper: Vec<String>,
}

/// A berth daemon that lives as long as its test.
pub(crate) struct Daemon {
    process: Option<Child>,
    root: Root,
    number: u32,
    wishes: Wishes,
}

/// Where a daemon lies.
enum Root {
    /// As long as the test
    Test(TempDir),
    /// Longer than this machine is up
    Kept(PathBuf),
}

/// The form of layers that the tests are to run with (`BERTH_TEST_STORAGE=overlay2`); the daemon's choice by default.
fn storage() -> Vec<String> {
    std::env::var("BERTH_TEST_STORAGE").map(|name| format!("--storage-driver={name}")).into_iter().collect()
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Daemon {
    fn start(wishes: Wishes) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
        let root = Root::Test(TempDir::with_prefix("berth-test-").unwrap());
        let mut daemon = Self { process: None, root, number, wishes };
        daemon.launch();
        daemon
    }

    pub(crate) fn root(&self) -> &Path {
        match &self.root {
            Root::Test(root) => root.path(),
            Root::Kept(root) => root,
        }
    }

    pub(crate) fn data_root(&self) -> PathBuf {
        self.root().join("data")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("the daemon runs").id()
    }

    fn socket(&self) -> PathBuf {
        self.root().join("berth.sock")
    }

    fn address(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Test processes can run side by side, so names and ranges derive from the process as well.
    pub(crate) fn bridge(&self) -> String {
        format!("bt{:x}n{}", std::process::id(), self.number)
    }

    fn subnet(&self) -> String {
        let seed = std::process::id().wrapping_mul(61).wrapping_add(self.number);
        format!("10.{}.{}.1/24", 100 + seed / 256 % 100, seed % 256)
    }

    fn launch(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.root().join("daemon.log")).unwrap();
        let words = [self.wishes.wrapper.as_slice(), &[BERTH.to_owned(), "daemon".to_owned()]].concat();
        let process = Command::new(&words[0])
            .args(&words[1..])
            .args(["-H", &self.address()])
            .arg("--data-root")
            .arg(self.data_root())
            .arg("--exec-root")
            .arg(self.root().join("run"))
            .arg("--pidfile")
            .arg(self.root().join("pid"))
            .args(["--config-file", "/dev/null"])
            .args(storage())
            .args(["--bridge", &self.bridge(), "--bip", &self.subnet()])
            .args(&self.wishes.flags)
            .envs(self.wishes.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        until("the daemon answers", || self.answers().unwrap_or(false));
    }

    /// It answers a request. Who is about to die with the daemon before may still take a connection.
    fn answers(&self) -> std::io::Result<bool> {
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket())?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.ends_with(b"OK"))
    }

    fn signal(&mut self, signal: rustix::process::Signal) {
        let mut process = self.process.take().expect("the daemon runs");
        rustix::process::kill_process(rustix::process::Pid::from_child(&process), signal).unwrap();
        process.wait().unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root().join("daemon.log")).unwrap_or_default()
    }
}

impl Host {
    pub(crate) fn start(cli: Cli) -> Self {
        match std::env::var("BERTH_TEST_HOST") {
            Ok(address) => Self::of(cli, address),
            Err(_) => Self::start_as(cli, Wishes::default()),
        }
    }

    /// A daemon as the test wants it; always ours, whatever `BERTH_TEST_HOST` says.
    pub(crate) fn start_as(cli: Cli, wishes: Wishes) -> Self {
        let daemon = Daemon::start(wishes);
        Self::with(cli, daemon.address(), Some(daemon))
    }

    /// A daemon over a directory that is there before or after this test.
    pub(crate) fn start_at(cli: Cli, root: &Path) -> Self {
        fs::create_dir_all(root).unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
        let mut daemon = Daemon { process: None, root: Root::Kept(root.to_owned()), number, wishes: Wishes::default() };
        daemon.launch();
        Self::with(cli, daemon.address(), Some(daemon))
    }

    /// An engine that runs already.
    pub(crate) fn of(cli: Cli, address: String) -> Self {
        Self::with(cli, address, None)
    }

    fn with(cli: Cli, address: String, daemon: Option<Daemon>) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("t{}x{number}", std::process::id());
        Self { cli, address, daemon, names: AtomicU32::new(0), prefix }
    }

    /// Which command line types here; a few of Docker's own texts differ between its versions.
    pub(crate) fn cli(&self) -> Cli {
        self.cli
    }

    /// Whether the engine is berth; a few texts differ on others.
    pub(crate) fn is_berth(&self) -> bool {
        self.daemon.is_some()
    }

    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("this test runs against berth only")
    }

    /// What `DOCKER_HOST` has to be.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// `kill -9`, then a new daemon over the same directories.
    pub(crate) fn kill_daemon_and_restart(&mut self) {
        self.kill_daemon();
        self.restart_daemon();
    }

    pub(crate) fn kill_daemon(&mut self) {
        self.daemon.as_mut().expect("ours").signal(rustix::process::Signal::KILL);
    }

    /// From its next start on the daemon has this.
    pub(crate) fn wish(&mut self, wishes: Wishes) {
        self.daemon.as_mut().expect("ours").wishes = wishes;
    }

    /// From its next start on the daemon has nothing but the ordinary.
    pub(crate) fn wish_for_nothing(&mut self) {
        self.daemon.as_mut().expect("ours").wishes = Wishes::default();
    }

    /// An orderly end of the daemon.
    pub(crate) fn stop_daemon(&mut self) {
        self.daemon.as_mut().expect("ours").signal(rustix::process::Signal::TERM);
    }

    pub(crate) fn restart_daemon(&mut self) {
        self.daemon.as_mut().expect("ours").launch();
    }

    /// What every name of this host begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What this host made on an engine that goes on.
    fn clean_up(&self) {
        let ids = self.try_run(&["ps", "-aq", "--filter", &format!("name={}-", self.prefix)]).out;
        for id in ids.lines() {
            self.try_run(&["rm", "-f", id]);
        }
    }

    /// A name that no other test uses.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{}-{what}{}", self.prefix, self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The small image of this run, pulled if need be.
    pub(crate) fn image(&self) -> String {
        self.fixture("busybox")
    }

    /// An image of the fixture registry, pulled if need be.
    pub(crate) fn fixture(&self, name: &str) -> String {
        let reference = registry::reference(name);
        if !self.try_run(&["image", "inspect", &reference]).ok() {
            self.run(&["pull", "-q", &reference]);
        }
        reference
    }

    /// The command line, ready for more arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = match self.cli {
            Cli::Ours => Command::new(BERTH),
            Cli::Docker => Command::new("docker"),
        };
        command.env("DOCKER_HOST", &self.address);
        command.env("DOCKER_CONFIG", self.config_dir());
        command.env_remove("DOCKER_CONTEXT").stdin(Stdio::null());
        command
    }

    /// Where the command line's `config.json` lies.
    pub(crate) fn config_dir(&self) -> PathBuf {
        self.daemon.as_ref().map_or_else(std::env::temp_dir, |daemon| daemon.root().to_owned()).join("config")
    }

    /// Runs to the end and expects success; its standard output, without the last newline.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let done = self.try_run(args);
        assert!(done.ok(), "{:?} {args:?} failed with {}:\n{}{}", self.cli, done.code, done.out, done.err);
        done.out
    }

    /// Runs to the end, whatever comes of it.
    pub(crate) fn try_run(&self, args: &[&str]) -> Done {
        Done::from(self.command().args(args).output().unwrap())
    }

    /// The same, with `input` on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Done {
        let mut command = self.command();
        let child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_owned();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Done::from(output)
    }

    /// `inspect -f TEMPLATE NAME`
    #[track_caller]
    pub(crate) fn inspect(&self, name: &str, template: &str) -> String {
        self.run(&["inspect", "-f", template, name])
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let Some(daemon) = &mut self.daemon else { return self.clean_up() };
        if std::thread::panicking() {
            eprintln!("--- the daemon's log:\n{}", daemon.log());
        }
        if daemon.process.is_none() {
            daemon.launch();
        }
        let ids = Command::new(BERTH).args(["-H", &daemon.address(), "ps", "-aq", "--no-trunc"]).output().unwrap();
        let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
        for id in ids.lines() {
            Command::new(BERTH).args(["-H", &daemon.address(), "rm", "-f", id]).output().unwrap();
        }
        daemon.signal(rustix::process::Signal::TERM);
        if !std::thread::panicking() {
            leftovers::assert_none(daemon.root(), &daemon.bridge(), &ids);
        }
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn ok(&self) -> bool {
        self.code == 0
    }

    /// Asserts the exit code and that standard error says `text`.
    #[track_caller]
    pub(crate) fn fails_with(&self, code: i32, text: &str) {
        assert!(
            self.code == code && self.err.contains(text),
            "expected exit code {code} and {text:?}, got {}:\n{}{}",
            self.code,
            self.out,
            self.err
        );
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let mut out = text(output.stdout);
        if out.ends_with('\n') {
            out.pop();
        }
        Self { code: output.status.code().unwrap_or(-1), out, err: text(output.stderr) }
    }
}

/// How long anything is waited for: machines can be emulated, and busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for something that happens by itself, and says what did not.
#[track_caller]
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
