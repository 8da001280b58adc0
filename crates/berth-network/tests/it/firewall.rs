//! Beside other people's firewalls.

use std::os::fd::AsFd;

use crate::host::{Daemon, HOST, WORLD, World, assert_clean, config, dial, eventually, on_a_host, sh};

/// As Docker leaves it: FORWARD drops, DOCKER-USER is called first.
const DOCKER: &str = "iptables -N DOCKER-USER; iptables -N DOCKER
    iptables -A DOCKER-USER -s 203.0.113.7 -j DROP; iptables -A DOCKER-USER -j RETURN
    iptables -P FORWARD DROP; iptables -I FORWARD -j DOCKER-USER
    iptables -A FORWARD -o docker0 -j DOCKER; iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT";

/// `iptables-save` without its comments and counters.
pub(crate) fn saved() -> Vec<String> {
    let plain = |line: &str| line.split(" [").next().unwrap_or_default().to_owned();
    sh("iptables-save").lines().filter(|line| !line.starts_with('#')).map(plain).collect()
}

#[test]
fn beside_docker_in_its_own_place() {
    on_a_host(|| {
        let world = World::connect();
        sh(DOCKER);
        let before = saved();
        let daemon = Daemon::start(config("brdocker", "10.91.0.1/24"));
        let (one, _) = daemon.networks.sandbox_bridge("one").unwrap();
        assert_eq!(dial(one.as_fd(), world.as_fd(), WORLD), Some(HOST));
        assert_eq!(daemon.networks.warnings(), Vec::<String>::new());
        let during = saved();
        let added: Vec<&String> = during.iter().filter(|line| !before.contains(line)).collect();
        assert_eq!(added.len(), 3, "{added:?}");
        assert!(
            added.iter().all(|l| l.contains("DOCKER-USER") && l.contains("--comment \"berth brdocker")),
            "{added:?}"
        );
        assert!(before.iter().all(|line| during.contains(line)));
        println!("{}", sh("iptables -nvL DOCKER-USER"));
        drop(one);
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
        assert_eq!(saved(), before);
        assert_clean(&["cable"]);
    });
}

#[test]
fn a_docker_that_comes_later_is_noticed() {
    on_a_host(|| {
        let world = World::connect();
        let daemon = Daemon::start(config("brlater", "10.92.0.1/24"));
        let (one, _) = daemon.networks.sandbox_bridge("one").unwrap();
        assert_eq!(dial(one.as_fd(), world.as_fd(), WORLD), Some(HOST));
        sh(DOCKER);
        eventually("our rules are there", || sh("iptables-save").contains("berth brlater back"));
        assert_eq!(dial(one.as_fd(), world.as_fd(), WORLD), Some(HOST));
        sh("iptables -A FORWARD -o br-new -j DOCKER");
        eventually("the new bridge is excepted", || sh("iptables-save").contains("berth brlater except br-new"));
        // Somebody sweeps everything away.
        sh("nft flush ruleset");
        eventually("our table is back", || sh("nft list ruleset").contains("table inet berth-brlater"));
        assert_eq!(dial(one.as_fd(), world.as_fd(), WORLD), Some(HOST));
        drop(one);
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
        assert_clean(&["cable"]);
    });
}

#[test]
fn a_drop_that_has_no_place_for_us_is_named() {
    on_a_host(|| {
        sh("nft add table inet mine
            nft add chain inet mine passing '{ type filter hook forward priority 0; policy drop; }'");
        let daemon = Daemon::start(config("brmine", "10.93.0.1/24"));
        drop(daemon.networks.sandbox_bridge("one").unwrap());
        let warnings = daemon.networks.warnings();
        assert!(
            warnings.len() == 1 && warnings[0].starts_with("chain passing of table inet mine drops"),
            "{warnings:?}"
        );
        sh("nft delete table inet mine");
        eventually("the warning is taken back", || daemon.networks.warnings().is_empty());
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
        assert_clean(&[]);
    });
}

#[test]
fn legacy_tables_are_mentioned() {
    if std::process::Command::new("iptables-legacy").arg("--version").output().is_err() {
        eprintln!("SKIPPED legacy_tables_are_mentioned: iptables-legacy is not installed");
        return;
    }
    on_a_host(|| {
        sh("iptables-legacy -A FORWARD -j ACCEPT");
        let daemon = Daemon::start(config("brlegacy", "10.94.0.1/24"));
        drop(daemon.networks.sandbox_bridge("one").unwrap());
        let warnings = daemon.networks.warnings();
        assert!(warnings.len() == 1 && warnings[0].starts_with("iptables-legacy is in use"), "{warnings:?}");
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
    });
}
