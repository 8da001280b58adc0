//! What survives the daemon, and what goes with it.

use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use crate::host::{Daemon, WORLD, World, assert_clean, config, dial, eventually, links, on_a_host, open, sh};

const BRIDGE: &str = "brlife";
const BIP: &str = "10.81.0.1/24";

#[test]
fn leases_survive_the_daemon_and_others_are_swept() {
    on_a_host(|| {
        let daemon = Daemon::start(config(BRIDGE, BIP));
        let (lives, at) = daemon.networks.sandbox_bridge("lives").unwrap();
        let (died, _) = daemon.networks.sandbox_bridge("died").unwrap();
        let Daemon { networks, directory } = daemon;
        drop((networks, died));
        let world = World::connect();
        assert!(dial(lives.as_fd(), world.as_fd(), WORLD).is_some(), "it goes on without a daemon");

        let next = open(directory.path(), config(BRIDGE, BIP));
        next.reconcile(&["lives".to_owned()]).unwrap();
        next.prepare();
        assert_eq!(next.endpoint("lives").as_ref(), Some(&at));
        assert_eq!(next.endpoint("died"), None);
        let (new, other) = next.sandbox_bridge("new").unwrap();
        assert_ne!(other.address, at.address);
        drop(new);
        next.release("new").unwrap();
        next.shutdown().unwrap();
        assert!(links().contains(&BRIDGE.to_owned()), "a container still needs it");
        assert!(dial(lives.as_fd(), world.as_fd(), WORLD).is_some());

        let last = open(directory.path(), config(BRIDGE, BIP));
        drop(lives);
        last.release("lives").unwrap();
        last.prepare();
        last.shutdown().unwrap();
        assert_clean(&["cable"]);
    });
}

#[test]
fn a_killed_daemon_leaves_no_namespace() {
    on_a_host(|| {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lifetime::daemon_to_be_killed", "--nocapture", "--ignored"])
            .env("BERTH_TEST_DIRECTORY", directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(output.lines().any(|line| line.unwrap().contains("PREPARED")));
        let ports = || sh(&format!("ip -o link show master {BRIDGE}")).lines().count();
        assert_eq!(ports(), 5, "two taken, three in stock");
        child.kill().unwrap();
        child.wait().unwrap();
        eventually("its namespaces took their links along", || ports() == 0);

        let next = open(directory.path(), config(BRIDGE, BIP));
        next.reconcile(&[]).unwrap();
        next.prepare();
        drop(next.sandbox_bridge("one").unwrap());
        next.release("one").unwrap();
        next.shutdown().unwrap();
        assert_clean(&[]);
    });
}

#[test]
#[ignore = "run by a_killed_daemon_leaves_no_namespace as a process of its own"]
fn daemon_to_be_killed() {
    let Some(directory) = std::env::var_os("BERTH_TEST_DIRECTORY") else { return };
    let networks = open(directory.as_ref(), config(BRIDGE, BIP));
    let taken = ["one", "two"].map(|id| networks.sandbox_bridge(id).unwrap());
    eventually("the stock is full", || sh(&format!("ip -o link show master {BRIDGE}")).lines().count() == 5);
    println!("PREPARED");
    std::thread::sleep(std::time::Duration::from_secs(600));
    drop(taken);
}
