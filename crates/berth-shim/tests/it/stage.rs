//! What every test needs: a root file system, a specification, a shim, and proof that nothing remains.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use berth_shim::ExitRecord;
use berth_shim::client::{ClientError, Connection, LaunchDescriptors, Launched, spawn};
use berth_shim::protocol::{
    CgroupPlan, Event, Exec, Incoming, Launch, LogDriver, LogPlan, Request, Response, Root, Signal, StdioPlan, Streams,
};
use serde_json::{Value, json};

pub(crate) const ALL: Streams = Streams { stdin: true, stdout: true, stderr: true };
pub(crate) const OUTPUT: Streams = Streams { stdin: false, stdout: true, stderr: true };

/// A container that can be launched.
pub(crate) struct Stage {
    pub(crate) id: String,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) launch: Launch,
    descriptors: LaunchDescriptors,
}

/// A launched one.
pub(crate) struct Running {
    pub(crate) id: String,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) connection: Connection,
    pub(crate) launched: Launched,
    pub(crate) record: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) shim: u32,
}

/// The example program that is a shim.
pub(crate) fn program() -> OwnedFd {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/shim");
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).expect("cargo builds the example along with the tests")
}

fn root_file_system(directory: &Path) {
    for name in ["bin", "proc", "dev", "sys", "tmp", "etc", "sbin"] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
    }
    std::fs::copy("/bin/busybox", directory.join("bin/busybox")).unwrap();
    for applet in [
        "sh", "cat", "sleep", "true", "stty", "seq", "head", "wc", "kill", "id", "date", "usleep", "dd", "tail",
        "setsid", "ps",
    ] {
        std::os::unix::fs::symlink("busybox", directory.join("bin").join(applet)).unwrap();
    }
}

fn specification(args: &[&str], tty: bool) -> Value {
    let namespaces = ["pid", "mount", "ipc", "uts", "network"].map(|kind| json!({"type": kind}));
    let mount = |at: &str, kind: &str, options: &[&str]| json!({"destination": at, "type": kind, "source": kind, "options": options});
    json!({
        "ociVersion": "1.2.0",
        "process": process(args, tty),
        "root": {"path": "rootfs"},
        "hostname": "stage",
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ],
        "linux": {
            "namespaces": namespaces,
            "resources": {},
        },
    })
}

pub(crate) fn process(args: &[&str], tty: bool) -> Value {
    json!({
        "terminal": tty, "args": args, "cwd": "/", "user": {"uid": 0, "gid": 0},
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
    })
}

/// An exec request that runs `args`.
pub(crate) fn exec(id: &str, args: &[&str], stdio: StdioPlan, attach: Option<Streams>) -> Request {
    let process = serde_json::from_value(process(args, stdio.tty)).unwrap();
    Request::Exec(Box::new(Exec { id: id.into(), process, seccomp: None, stdio, attach }))
}

impl Stage {
    pub(crate) fn new(args: &[&str]) -> Self {
        Self::with(args, StdioPlan::default(), |_| {})
    }

    pub(crate) fn with(args: &[&str], stdio: StdioPlan, change: impl FnOnce(&mut Value)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let id = format!("shim-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = tempfile::Builder::new().prefix("berth-shim").tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        root_file_system(&at("rootfs"));
        let mut spec = specification(args, stdio.tty);
        change(&mut spec);
        let launch = Launch {
            id: id.clone(),
            spec: serde_json::from_value(spec).unwrap(),
            bundle: directory.path().to_path_buf(),
            root: Root::Path(at("rootfs")),
            network: false,
            cgroup: Some(CgroupPlan { path: format!("/{id}"), hierarchy: None, driver: Default::default() }),
            seccomp: None,
            log: LogPlan { driver: LogDriver::JsonFile, path: at("log"), max_size: Some(0), ..LogPlan::default() },
            exit_record: at("exit"),
            durable: true,
            socket: at("socket"),
            stdio,
            attach: Vec::new(),
            sources: Vec::new(),
            no_pivot: false,
            no_new_keyring: false,
            runtime: None,
        };
        Self { id, directory, launch, descriptors: LaunchDescriptors::default() }
    }

    pub(crate) fn attach(&mut self, streams: Streams) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.launch.attach.push(streams);
        self.descriptors.attach.push(theirs.into());
        ours
    }

    pub(crate) fn try_start(self) -> Result<Running, (ClientError, tempfile::TempDir, String)> {
        let Self { id, directory, launch, descriptors } = self;
        let (record, socket, log) = (launch.exit_record.clone(), launch.socket.clone(), launch.log.path.clone());
        match spawn(program().as_fd(), launch, descriptors) {
            Ok((connection, launched)) => {
                let shim = connection.shim_pid().unwrap();
                Ok(Running { id, directory, connection, launched, record, socket, log, shim })
            }
            Err(error) => Err((error, directory, id)),
        }
    }

    pub(crate) fn start(self) -> Running {
        self.try_start().map_err(|(error, ..)| error).unwrap()
    }
}

/// A test that fails takes its container along.
impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.connection.send(Request::Signal(Signal { exec: None, signal: 9 }), Vec::new());
        }
    }
}

impl Running {
    pub(crate) fn call(&mut self, request: Request) -> Response {
        self.connection.call(request, Vec::new()).unwrap()
    }

    pub(crate) fn done(&mut self, request: Request) {
        assert_eq!(self.call(request), Response::Done {});
    }

    /// Starts an exec session with a client.
    pub(crate) fn exec(&mut self, id: &str, args: &[&str], stdio: StdioPlan) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let response = self.connection.call(exec(id, args, stdio, Some(ALL)), vec![theirs.into()]).unwrap();
        assert!(matches!(response, Response::ExecStarted { .. }), "{response:?}");
        ours
    }

    pub(crate) fn event(&mut self) -> Event {
        next_event(&mut self.connection)
    }

    /// Waits for the container's end; checks that the record says the same, and that nothing remains.
    pub(crate) fn end(mut self) -> ExitRecord {
        let said = loop {
            if let Event::Exited { code, oom_killed, at } = self.event() {
                break ExitRecord { code, oom_killed, at };
            }
        };
        assert_eq!(ExitRecord::read(&self.record).unwrap().as_ref(), Some(&said));
        self.connection.reap();
        self.nothing_remains();
        said
    }

    pub(crate) fn nothing_remains(&self) {
        assert!(!self.socket.exists());
        assert!(!Path::new(&format!("/proc/{}", self.shim)).exists());
        no_trace_of(&self.id);
    }

    pub(crate) fn logged(&self) -> [String; 2] {
        logged(&self.log)
    }
}

/// A connection that the shim has accepted: what happens from here on, it hears.
pub(crate) fn greeted(socket: &Path) -> Connection {
    let mut connection = Connection::connect(socket).unwrap();
    assert!(matches!(connection.receive().unwrap(), Incoming::Event(Event::Hello { protocol: 1, .. })));
    connection
}

pub(crate) fn next_event(connection: &mut Connection) -> Event {
    loop {
        match connection.receive().unwrap() {
            Incoming::Event(Event::Hello { protocol, .. }) => assert_eq!(protocol, 1),
            Incoming::Event(event) => return event,
            other => panic!("{other:?}"),
        }
    }
}

/// No cgroup and no mount bears the container's name.
pub(crate) fn no_trace_of(id: &str) {
    let mut groups: Vec<PathBuf> =
        std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|hierarchy| hierarchy.path()).collect();
    groups.push("/sys/fs/cgroup".into());
    for group in groups {
        assert!(!group.join(id).exists(), "{}", group.display());
    }
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(id));
}

/// The log is opened when the container runs already: it may not be there yet, and its last line not be whole.
pub(crate) fn logged(path: &Path) -> [String; 2] {
    let mut streams = [String::new(), String::new()];
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let entry: Value = serde_json::from_str(line).unwrap();
        streams[usize::from(entry["stream"] == "stderr")].push_str(entry["log"].as_str().unwrap());
    }
    streams
}

pub(crate) fn unframe(mut bytes: &[u8]) -> [Vec<u8>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    while let Some((header, rest)) = bytes.split_first_chunk::<8>() {
        let length = u32::from_be_bytes(header[4..].try_into().unwrap()) as usize;
        streams[header[0] as usize - 1].extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    streams
}

pub(crate) fn read_all(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads until `wanted` was said.
pub(crate) fn read_until(stream: &mut UnixStream, wanted: &str) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
    while !String::from_utf8_lossy(&bytes).contains(wanted) {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the stream ended after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn say(stream: &mut UnixStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "{what} never came true");
        std::thread::sleep(Duration::from_millis(5));
    }
}
