//! What this runtime can do: `features`, `spec`, `--help`, `--version`.

use std::path::Path;

use serde_json::json;

use super::arguments::{Flag, Parsed};
use super::control::print;
use super::{CommandError, Global};
use crate::capabilities;
use crate::mounts::options;

pub(crate) const SPEC: &[Flag] = &[Flag::value(&["bundle", "b"]), Flag::switch(&["rootless"])];

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SPECIFICATION: &str = "1.2.1";

const HELP: &str = "\
Usage: berth runtime [GLOBAL OPTIONS] COMMAND [OPTIONS] ID

An OCI runtime: makes a container from a bundle (a directory with config.json and a root file system).

Commands:
  create      Create a container
  start       Run the program of a created container
  run         Create and start a container, wait for it, delete it
  state       Print a container's state
  kill        Send a signal to a container (SIGTERM)
  delete      Delete a container
  exec        Run a further program in a container
  list        List containers
  ps          List a container's processes
  pause       Stop all processes of a container
  resume      Let them go on
  update      Change a container's limits
  events      Print a container's figures and OOM kills
  features    Print what this runtime supports
  spec        Write a config.json to start from

Global options:
  --root DIR            Where containers' states are (/run/berth/runtime)
  --log FILE            Write errors to FILE too
  --log-format FORMAT   text or json
  --systemd-cgroup      Let systemd make the cgroups";

pub(crate) fn help(asked: bool) -> Result<u8, CommandError> {
    if asked {
        print(HELP);
        return Ok(0);
    }
    Err(CommandError::usage("a command is missing; see berth runtime --help"))
}

pub(crate) fn version() -> Result<u8, CommandError> {
    print(&format!("berth runtime version {VERSION}\nspec: {SPECIFICATION}"));
    Ok(0)
}

pub(crate) fn not_supported(_: &Global, _: &Parsed) -> Result<u8, CommandError> {
    Err(CommandError::usage("checkpoint and restore are not supported by this runtime yet"))
}

/// `features`: the specification's structure of that name.
pub(crate) fn features(_: &Global, _: &Parsed) -> Result<u8, CommandError> {
    let operators = ["NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"].map(|name| format!("SCMP_CMP_{name}"));
    let actions = ["KILL", "KILL_PROCESS", "KILL_THREAD", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG", "NOTIFY"];
    let flags = ["TSYNC", "SPEC_ALLOW", "LOG", "WAIT_KILLABLE_RECV"].map(|name| format!("SECCOMP_FILTER_FLAG_{name}"));
    let features = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPECIFICATION,
        "hooks": ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
        "mountOptions": options::known(),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"],
            "capabilities": capabilities::names(),
            "cgroup": { "v1": true, "v2": true, "systemd": true, "systemdUser": false, "rdma": true },
            "seccomp": {
                "enabled": true,
                "actions": actions.map(|name| format!("SCMP_ACT_{name}")),
                "operators": operators,
                "archs": ["SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64"],
                "knownFlags": flags,
                "supportedFlags": flags,
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": false },
        },
        "annotations": { "org.berth.runtime.version": VERSION },
    });
    print(&serde_json::to_string_pretty(&features).unwrap_or_default());
    Ok(0)
}

/// `spec`: a configuration to start from.
pub(crate) fn spec(_: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let path = Path::new(args.value("bundle").unwrap_or(".")).join("config.json");
    if path.exists() {
        return Err(CommandError::usage(format!("{} exists already", path.display())));
    }
    let text = serde_json::to_string_pretty(&example(args.has("rootless"))).unwrap_or_default();
    std::fs::write(&path, text + "\n").map_err(CommandError::file("cannot write", path))?;
    Ok(0)
}

fn example(rootless: bool) -> serde_json::Value {
    let caps = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    let mut namespaces: Vec<_> =
        ["pid", "network", "ipc", "uts", "mount", "cgroup"].iter().map(|kind| json!({ "type": kind })).collect();
    let mut linux = json!({
        "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
        "maskedPaths": [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
        ],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    });
    if rootless {
        namespaces.push(json!({ "type": "user" }));
        let map = |id: u32| json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
        linux["uidMappings"] = map(rustix::process::getuid().as_raw());
        linux["gidMappings"] = map(rustix::process::getgid().as_raw());
    }
    linux["namespaces"] = namespaces.into();
    let mount = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    json!({
        "ociVersion": SPECIFICATION,
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": caps, "effective": caps, "permitted": caps },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true,
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "berth",
        "mounts": [
            mount("/proc", "proc", &["nosuid", "noexec", "nodev"]),
            mount("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
            mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
            mount("/sys/fs/cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
        ],
        "linux": linux,
    })
}
