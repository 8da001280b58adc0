//! A host to test on: a network namespace, a store, and a world beyond.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use berth_network::{NetworkConfig, Networks};
use berth_state::Store;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// Runs `test` on a thread in a fresh network namespace with a loopback device.
pub(crate) fn on_a_host<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                fresh_namespace();
                sh("ip link set lo up");
                test()
            })
            .join()
            .unwrap()
    })
}

fn fresh_namespace() {
    #[expect(deprecated, reason = "its safe form")]
    rustix::thread::unshare(UnshareFlags::NEWNET).unwrap();
}

/// Runs `work` on a thread in the namespace.
pub(crate) fn inside<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                rustix::thread::move_into_link_name_space(netns, Some(LinkNameSpaceType::Network)).unwrap();
                work()
            })
            .join()
            .unwrap()
    })
}

/// Runs a shell command in the calling thread's namespace; its output. Panics when it fails.
pub(crate) fn sh(command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Networks with their store in a directory of their own.
pub(crate) struct Daemon {
    pub(crate) networks: Networks,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) fn config(bridge: &str, bip: &str) -> NetworkConfig {
    NetworkConfig { bridge: bridge.into(), bip: Some(bip.parse().unwrap()), ..NetworkConfig::default() }
}

impl Daemon {
    pub(crate) fn start(config: NetworkConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let networks = open(directory.path(), config);
        Self { networks, directory }
    }
}

pub(crate) fn open(directory: &std::path::Path, config: NetworkConfig) -> Networks {
    let store = Store::open(&directory.join("state.db")).unwrap();
    Networks::open(&store, config).unwrap()
}

/// Another machine on a cable to the host: 10.99.0.2, the host being 10.99.0.1. It knows no way to the bridge.
pub(crate) struct World {
    netns: OwnedFd,
}

pub(crate) const WORLD: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

impl World {
    pub(crate) fn connect() -> Self {
        let netns: OwnedFd = std::thread::spawn(|| {
            fresh_namespace();
            std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
        })
        .join()
        .unwrap();
        // A shell of ours holds the descriptor open under /proc for ip(8) to name it.
        let fd = std::os::fd::AsRawFd::as_raw_fd(&netns);
        let process = std::process::id();
        sh(&format!(
            "ip link add cable type veth peer name eth9 netns /proc/{process}/fd/{fd}
             ip addr add {HOST}/24 dev cable; ip link set cable up"
        ));
        let world = Self { netns };
        world.run(&format!("ip link set lo up; ip addr add {WORLD}/24 dev eth9; ip link set eth9 up"));
        world
    }

    pub(crate) fn run(&self, command: &str) -> String {
        inside(self.netns.as_fd(), || sh(command))
    }
}

impl AsFd for World {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netns.as_fd()
    }
}

/// Connects from one namespace to a listener in another, which is there; who the listener saw.
pub(crate) fn dial(from: BorrowedFd<'_>, to: BorrowedFd<'_>, address: Ipv4Addr) -> Option<Ipv4Addr> {
    dial_within(Duration::from_secs(60), from, to, address)
}

/// Whether nothing arrives from one namespace at a listener in another: what is dropped is never answered.
pub(crate) fn kept_away(from: BorrowedFd<'_>, to: BorrowedFd<'_>, address: Ipv4Addr) -> bool {
    dial_within(Duration::from_secs(3), from, to, address).is_none()
}

fn dial_within(patience: Duration, from: BorrowedFd<'_>, to: BorrowedFd<'_>, address: Ipv4Addr) -> Option<Ipv4Addr> {
    let listener = inside(to, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let target = SocketAddr::from((address, port));
    let mut client = inside(from, || TcpStream::connect_timeout(&target, patience)).ok()?;
    let (mut server, peer) = listener.accept().unwrap();
    client.write_all(b"ping").unwrap();
    let mut word = [0; 4];
    server.read_exact(&mut word).unwrap();
    match peer {
        SocketAddr::V4(peer) => Some(*peer.ip()),
        SocketAddr::V6(_) => panic!("asked by IPv4"),
    }
}

/// The calling thread's own namespace.
pub(crate) fn here() -> OwnedFd {
    std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
}

/// Waits for something that the kernel or a daemon does in its own time, also on an emulated machine.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(180);
    while !holds() {
        assert!(Instant::now() < until, "{what}: in vain");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The names of the links in the calling thread's namespace.
pub(crate) fn links() -> Vec<String> {
    sh("ip -o link show")
        .lines()
        .filter_map(|l| l.split(": ").nth(1))
        .map(|n| n.split('@').next().unwrap().into())
        .collect()
}

/// Nothing of ours is left but what `allowed` names.
pub(crate) fn assert_clean(allowed: &[&str]) {
    // Devices that the kernel itself puts in every namespace.
    let own = |name: &String| {
        !allowed.contains(&name.as_str()) && name != "lo" && !name.starts_with("ifb") && !name.ends_with('0')
    };
    eventually(&format!("links are gone: {:?}", links()), || links().iter().filter(|n| own(n)).count() == 0);
    let rules = sh("nft list ruleset");
    assert!(!rules.contains("berth"), "{rules}");
}
