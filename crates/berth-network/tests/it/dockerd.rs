//! Beside a real dockerd, Debian's.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::firewall::saved;
use crate::host::{Daemon, HOST, WORLD, World, assert_clean, config, dial, eventually, kept_away, on_a_host, sh};

/// A dockerd in the calling thread's network namespace, on the bridge `dk0`.
struct Dockerd {
    process: Child,
    directory: tempfile::TempDir,
}

impl Dockerd {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let process = Command::new("dockerd")
            .arg(format!("--host=unix://{}", path.join("socket").display()))
            .arg(format!("--data-root={}", path.join("data").display()))
            .arg(format!("--exec-root={}", path.join("exec").display()))
            .arg(format!("--pidfile={}", path.join("pid").display()))
            .args(["--bridge=dk0", "--iptables=true", "--storage-driver=vfs"])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(path.join("log")).unwrap())
            .spawn()
            .unwrap();
        let log = path.join("log");
        let dockerd = Self { process, directory };
        // It answers earlier, while it still arranges its rules.
        eventually("dockerd is ready", || std::fs::read_to_string(&log).unwrap().contains("API listen on"));
        dockerd
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        sh(&format!("kill {}", self.process.id()));
        self.process.wait().unwrap();
        unmount_below(self.directory.path());
    }
}

/// dockerd leaves the file it mounts its own namespace on.
fn unmount_below(path: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    for target in mounts.lines().filter_map(|l| l.split(' ').nth(1)).filter(|t| Path::new(t).starts_with(path)) {
        sh(&format!("umount '{target}'"));
    }
}

#[test]
fn works_beside_dockerd_and_leaves_it_alone() {
    if Command::new("dockerd").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED works_beside_dockerd_and_leaves_it_alone: dockerd is not installed");
        return;
    }
    on_a_host(|| {
        let world = World::connect();
        // A fresh host does not forward; dockerd changes that and drops what nobody accepts.
        sh("echo 0 > /proc/sys/net/ipv4/ip_forward");
        sh("ip link add dk0 type bridge; ip addr add 10.61.0.1/24 dev dk0; ip link set dk0 up");
        let dockerd = Dockerd::start();
        assert!(saved().contains(&":FORWARD DROP".to_owned()));
        let before = saved();

        let daemon = Daemon::start(config("brdockerd", "10.62.0.1/24"));
        let (one, endpoint) = daemon.networks.sandbox_bridge("one").unwrap();
        assert_eq!(dial(one.as_fd(), world.as_fd(), WORLD), Some(HOST));
        let (two, at_two) = daemon.networks.sandbox_bridge("two").unwrap();
        assert_eq!(dial(one.as_fd(), two.as_fd(), at_two.address), Some(endpoint.address));

        // A leg on dockerd's bridge, as a container of its has: neither side reaches the other's unpublished ports.
        let theirs = daemon.networks.sandbox_none().unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&theirs.as_fd());
        sh(&format!(
            "ip link add dkport master dk0 up type veth peer name eth0 netns /proc/{}/fd/{fd}",
            std::process::id()
        ));
        crate::host::inside(theirs.as_fd(), || {
            sh("ip addr add 10.61.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.61.0.1");
        });
        eventually("dockerd's container reaches the world", || {
            dial(theirs.as_fd(), world.as_fd(), WORLD) == Some(HOST)
        });
        assert!(kept_away(one.as_fd(), theirs.as_fd(), "10.61.0.2".parse().unwrap()));
        assert!(kept_away(theirs.as_fd(), one.as_fd(), endpoint.address));

        let during = saved();
        let added: Vec<&String> = during.iter().filter(|line| !before.contains(line)).collect();
        let ours = |line: &&&String| line.contains("-A DOCKER-USER") && line.contains("berth brdockerd");
        assert_eq!((added.len(), added.iter().filter(ours).count()), (3, 3), "{added:?}");
        let others: Vec<String> = during.iter().filter(|l| !l.contains("berth brdockerd")).cloned().collect();
        assert_eq!(others, before, "nothing of dockerd's changed, nor its order");
        assert!(sh("iptables -nL DOCKER-USER").contains("/* berth brdockerd out */"));

        sh("ip link del dkport");
        drop((one, two, theirs));
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
        assert_eq!(saved(), before);
        assert!(sh("ip addr show dk0").contains("inet 10.61.0.1/24"));
        drop(dockerd);
        assert_clean(&["cable", "dk0"]);
    });
}
