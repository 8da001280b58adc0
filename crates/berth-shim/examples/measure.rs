//! What a shim costs: `measure launch [N]` for the time from the request to the running init and to the end,
//! `measure output [MIB]` for the speed of attached output with and without a log, `measure memory` for a quiet shim.
//! Stands beside the `shim` example, which it starts.
#![allow(clippy::unwrap_used, reason = "a measurement that fails says so by panicking")]

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use berth_shim::client::{Connection, LaunchDescriptors, spawn};
use berth_shim::protocol::{
    CgroupPlan, Event, Incoming, Launch, LogDriver, LogPlan, Request, Root, Signal, StdioPlan, Streams,
};
use serde_json::json;

fn main() {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let number = args.next().and_then(|number| number.parse().ok());
    let directory = tempfile::tempdir().unwrap();
    match what.as_str() {
        "launch" => launches(directory.path(), number.unwrap_or(40)),
        "output" => output(directory.path(), number.unwrap_or(1024)),
        "memory" => memory(directory.path()),
        _ => eprintln!("measure launch [N] | output [MIB] | memory"),
    }
}

fn request(directory: &Path, args: &[&str], log: LogDriver) -> Launch {
    let root = directory.join("rootfs");
    for name in ["bin", "proc", "dev"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    if !root.join("bin/busybox").exists() {
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    }
    let namespaces = ["pid", "mount", "ipc", "uts"].map(|kind| json!({"type": kind}));
    let spec = json!({
        "ociVersion": "1.2.0", "root": {"path": "rootfs"},
        "process": {"args": args, "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": ["PATH=/bin"]},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
        ],
        "linux": {"namespaces": namespaces, "resources": {}},
    });
    Launch {
        id: format!("measure-{}", std::process::id()),
        spec: serde_json::from_value(spec).unwrap(),
        bundle: directory.to_path_buf(),
        root: Root::Path(root),
        network: false,
        cgroup: std::env::var_os("MEASURE_NO_CGROUP").is_none().then(|| CgroupPlan {
            path: format!("/berth-measure-{}", std::process::id()),
            hierarchy: None,
            driver: Default::default(),
        }),
        seccomp: None,
        log: LogPlan {
            driver: log,
            path: directory.join("log"),
            max_size: Some(64 << 20),
            max_file: Some(2),
            ..LogPlan::default()
        },
        exit_record: directory.join("exit"),
        durable: false,
        socket: directory.join("socket"),
        stdio: StdioPlan::default(),
        attach: Vec::new(),
        sources: Vec::new(),
        no_pivot: false,
        no_new_keyring: false,
        runtime: None,
    }
}

fn start(launch: Launch, attach: Vec<UnixStream>) -> Connection {
    let path = std::env::current_exe().unwrap().with_file_name("shim");
    let program = rustix::fs::open(&path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    let attach = attach.into_iter().map(Into::into).collect();
    spawn(program.as_fd(), launch, LaunchDescriptors { attach, ..LaunchDescriptors::default() }).unwrap().0
}

fn wait_for_end(connection: &mut Connection) {
    while !matches!(connection.receive().unwrap(), Incoming::Event(Event::Exited { .. })) {}
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn launches(directory: &Path, count: usize) {
    let (mut launched, mut ended, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let begin = Instant::now();
        let mut connection = start(request(directory, &["/bin/busybox", "true"], LogDriver::JsonFile), Vec::new());
        launched.push(begin.elapsed());
        wait_for_end(&mut connection);
        ended.push(begin.elapsed());
        connection.reap();
        gone.push(begin.elapsed());
    }
    println!(
        "median of {count}: launched {:?}, exit said {:?}, shim gone {:?}",
        median(launched),
        median(ended),
        median(gone)
    );
}

fn output(directory: &Path, mebibytes: usize) {
    let line = b"the quick brown fox jumps over the lazy dog, and it does so again\n";
    std::fs::create_dir_all(directory.join("rootfs")).unwrap();
    std::fs::write(directory.join("rootfs/text"), line.repeat((16 << 20) / line.len())).unwrap();
    let zeros = format!("busybox dd if=/dev/zero bs=256k count={} 2>/dev/null", mebibytes * 4);
    let text = format!("i=0; while [ $i -lt {} ]; do busybox cat text; i=$((i+1)); done", mebibytes / 16);
    for (name, script, log) in [
        ("zeros, no log", &zeros, LogDriver::None),
        ("lines, no log", &text, LogDriver::None),
        ("lines, json-file", &text, LogDriver::JsonFile),
    ] {
        let mut launch = request(directory, &["/bin/busybox", "sh", "-c", script], log);
        launch.attach.push(Streams { stdin: false, stdout: true, stderr: true });
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let begin = Instant::now();
        let mut connection = start(launch, vec![theirs]);
        let (mut buffer, mut total) = (vec![0; 256 << 10], 0);
        while let Ok(length @ 1..) = ours.read(&mut buffer) {
            total += length;
        }
        wait_for_end(&mut connection);
        let seconds = begin.elapsed().as_secs_f64();
        println!("{name}: {:.0} MB/s ({total} bytes)", total as f64 / seconds / 1e6);
        connection.reap();
    }
}

fn memory(directory: &Path) {
    let mut connection = start(request(directory, &["/bin/busybox", "sleep", "100"], LogDriver::JsonFile), Vec::new());
    std::thread::sleep(Duration::from_millis(1500));
    let shim = connection.shim_pid().unwrap();
    print!("{}", std::fs::read_to_string(format!("/proc/{shim}/smaps_rollup")).unwrap());
    connection.call(Request::Signal(Signal { exec: None, signal: 9 }), Vec::new()).unwrap();
    connection.reap();
}
