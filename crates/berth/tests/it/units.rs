//! The daemon as a service of systemd, as `packaging/systemd` has it, and what a host with systemd adds: its cgroups and
//! AppArmor. These take the host over (the program's own place, its socket, its data), so `cargo xtask units` runs them in
//! a virtual machine, and they are ignored elsewhere.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::{BERTH, Cli, Done, Host, until};

const PROGRAM: &str = "/usr/bin/berth";
const SOCKET: &str = "/run/berth/berth.sock";
const DEFAULTS: &str = "/etc/default/berth";
const CONFIG: &str = "/etc/berth/daemon.json";
const UNITS: [&str; 3] = ["berth.socket", "berth.service", "berth-containers.service"];

/// The installed service; uninstalled with the test.
struct Service {
    host: Host,
}

impl Service {
    fn install(cli: Cli, options: &str) -> Self {
        fs::copy(BERTH, PROGRAM).unwrap();
        for unit in UNITS {
            fs::copy(packaging().join(unit), installed(unit)).unwrap();
        }
        fs::write(DEFAULTS, format!("DOCKER_OPTS={options}\n")).unwrap();
        fs::create_dir_all(Path::new(CONFIG).parent().unwrap()).unwrap();
        fs::write(CONFIG, "{}").unwrap();
        assert!(Command::new("groupadd").args(["-f", "docker"]).status().unwrap().success());
        systemctl(&["daemon-reload"]);
        systemctl(&["enable", "--now", "berth.socket", "berth-containers.service"]);
        Self { host: Host::of(cli, format!("unix://{SOCKET}")) }
    }

    fn stop(&self) {
        systemctl(&["stop", "berth.socket", "berth.service", "berth-containers.service"]);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let journal = Command::new("journalctl").args(["-u", "berth*", "-n", "60", "--no-pager"]).output().unwrap();
            eprintln!("{}", String::from_utf8_lossy(&journal.stdout));
            return;
        }
        self.stop();
        systemctl(&["disable", "--quiet", "berth.socket", "berth-containers.service"]);
        for file in UNITS.map(installed).into_iter().chain([PROGRAM, DEFAULTS, CONFIG].map(PathBuf::from)) {
            fs::remove_file(file).unwrap();
        }
        systemctl(&["daemon-reload"]);
    }
}

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd")
}

fn installed(unit: &str) -> PathBuf {
    Path::new("/etc/systemd/system").join(unit)
}

#[track_caller]
fn systemctl(args: &[&str]) -> String {
    let done = Done::from(Command::new("systemctl").args(args).output().unwrap());
    assert!(done.ok(), "systemctl {args:?}: {}{}", done.out, done.err);
    done.out
}

fn property(unit: &str, name: &str) -> String {
    systemctl(&["show", "--value", "-p", name, unit])
}

/// The cgroup of a container's first process, on the one hierarchy.
fn cgroup(pid: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = text.lines().find_map(|line| line.strip_prefix("0::")).expect("cgroup v2");
    Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'))
}

fn a_service_of_systemd(cli: Cli) {
    let service = Service::install(cli, "--label by=options");
    let host = &service.host;
    let socket = fs::metadata(SOCKET).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
    assert_ne!(socket.gid(), 0, "it is the docker group's");
    assert_eq!(property("berth.service", "ActiveState"), "inactive");
    // Its first client starts it.
    assert_eq!(host.run(&["info", "-f", "{{.Labels}}"]), "[by=options]");
    assert_eq!(property("berth.service", "ActiveState"), "active");

    let (image, name) = (host.image(), host.name("unit"));
    let script = "trap 'exit 7' TERM; while :; do sleep 0.1; done";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    let pid = host.inspect(&name, "{{.State.Pid}}");
    let main = property("berth.service", "MainPID");
    systemctl(&["restart", "berth.service"]);
    assert_ne!(property("berth.service", "MainPID"), main);
    assert_eq!(host.inspect(&name, "{{.State.Pid}}"), pid);
    let main = property("berth.service", "MainPID");
    systemctl(&["kill", "--kill-whom=main", "-s", "KILL", "berth.service"]);
    until("systemd has started it again", || {
        property("berth.service", "ActiveState") == "active" && property("berth.service", "MainPID") != main
    });
    assert_eq!(host.inspect(&name, "{{.State.Pid}} {{.State.Status}}"), format!("{pid} running"));

    fs::write(CONFIG, r#"{"max-concurrent-downloads": 7, "debug": true}"#).unwrap();
    systemctl(&["reload", "berth.service"]);
    until("the daemon has read it again", || host.run(&["info", "-f", "{{.Debug}}"]) == "true");

    // The host goes down.
    systemctl(&["stop", "berth-containers.service"]);
    assert_eq!(host.inspect(&name, "{{.State.Status}} {{.State.ExitCode}}"), "exited 7");
    host.run(&["rm", &name]);
    service.stop();
    assert_eq!(property("berth.service", "ActiveState"), "inactive");
}

fn cgroups_that_systemd_makes(cli: Cli) {
    const MIB: u64 = 1 << 20;
    let service = Service::install(cli, "--exec-opt native.cgroupdriver=systemd");
    let host = &service.host;
    assert_eq!(host.run(&["info", "-f", "{{.CgroupDriver}} {{.CgroupVersion}}"]), "systemd 2");
    let (image, name) = (host.image(), host.name("scope"));
    host.run(&["run", "-d", "--name", &name, "--memory", "64m", "--pids-limit", "50", &image, "sleep", "3000"]);
    let place = cgroup(&host.inspect(&name, "{{.State.Pid}}"));
    let scope = place.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(scope.ends_with(".scope") && place.starts_with("/sys/fs/cgroup/system.slice"), "{place:?}");
    let limit = |megabytes: u64| {
        let bytes = (megabytes * MIB).to_string();
        assert_eq!(fs::read_to_string(place.join("memory.max")).unwrap().trim(), bytes);
        assert_eq!(property(&scope, "MemoryMax"), bytes);
    };
    limit(64);
    assert_eq!(property(&scope, "TasksMax"), "50");
    host.run(&["update", "--memory", "128m", "--memory-swap", "256m", &name]);
    limit(128);
    systemctl(&["daemon-reload"]);
    limit(128);
    assert_eq!(host.run(&["exec", &name, "cat", "/sys/fs/cgroup/pids.max"]), "50");
    systemctl(&["restart", "berth.service"]);
    assert_eq!(host.run(&["exec", &name, "echo", "still here"]), "still here");
    host.run(&["rm", "-f", &name]);
    until("the scope has gone", || !place.exists() && property(&scope, "ActiveState") == "inactive");

    let name = host.name("slice");
    host.run(&["run", "-d", "--name", &name, "--cgroup-parent", "berthtest.slice", &image, "sleep", "3000"]);
    let place = cgroup(&host.inspect(&name, "{{.State.Pid}}"));
    assert!(place.starts_with("/sys/fs/cgroup/berthtest.slice"), "{place:?}");
    host.run(&["rm", "-f", &name]);
    let refused = host.try_run(&["run", "--rm", "--cgroup-parent", "/plain", &image, "true"]);
    refused.fails_with(125, "cgroup-parent for systemd cgroup should be a valid slice");
}

/// On a kernel that has AppArmor, with its tools installed, as most hosts of Debian and Ubuntu are.
fn apparmor_confines(cli: Cli) {
    const CONFINED: &str = "docker-default (enforce)";
    assert_eq!(fs::read_to_string("/sys/module/apparmor/parameters/enabled").unwrap_or_default().trim(), "Y");
    let service = Service::install(cli, "");
    let host = &service.host;
    let options = host.run(&["info", "-f", "{{.SecurityOptions}}"]);
    assert!(options.contains("name=apparmor"), "{options}");
    let (image, name) = (host.image(), host.name("confined"));
    let label = ["cat", "/proc/self/attr/current"];
    host.run(&["run", "-d", "--name", &name, "--cap-add", "SYS_ADMIN", &image, "sleep", "3000"]);
    assert_eq!(host.inspect(&name, "{{.AppArmorProfile}}"), "docker-default");
    assert_eq!(host.run(&[&["exec", &name], &label[..]].concat()), CONFINED);
    for refused in ["mount -t tmpfs none /mnt", "echo 1 > /proc/sys/vm/overcommit_memory", "cat /proc/kcore"] {
        assert!(!host.try_run(&["exec", &name, "sh", "-c", refused]).ok(), "{refused}");
    }
    host.run(&["exec", &name, "sh", "-c", "sleep 100 & kill -9 $!"]);
    assert!(host.run(&["top", &name]).contains("sleep 3000"));
    host.run(&["kill", &name]);
    host.run(&["wait", &name]);
    host.run(&["rm", &name]);
    let run = |option: &[&str]| host.run(&[&["run", "--rm"], option, &[&image], &label[..]].concat());
    assert_eq!(run(&[]), CONFINED);
    assert_eq!(run(&["--security-opt", "apparmor=unconfined"]), "unconfined");
    assert_eq!(run(&["--privileged"]), "unconfined");
    let absent = host.try_run(&["run", "--rm", "--security-opt", "apparmor=absent", &image, "true"]);
    assert!(
        !absent.ok() && absent.err.contains("cannot set the security label (AppArmor profile absent)"),
        "{absent:?}"
    );
}

#[test]
#[ignore = "part of `cargo xtask units`"]
fn apparmor_confines_what_runs() {
    apparmor_confines(Cli::Ours);
    apparmor_confines(Cli::Docker);
}

#[test]
#[ignore = "part of `cargo xtask units`"]
fn a011_a_service_of_systemd() {
    a_service_of_systemd(Cli::Ours);
    a_service_of_systemd(Cli::Docker);
}

#[test]
#[ignore = "part of `cargo xtask units`"]
fn a140_cgroups_that_systemd_makes() {
    cgroups_that_systemd_makes(Cli::Ours);
    cgroups_that_systemd_makes(Cli::Docker);
}
