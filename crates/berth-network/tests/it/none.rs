//! A namespace without a network.

use std::os::fd::AsFd;

use crate::host::{Daemon, assert_clean, config, inside, links, on_a_host, sh};

#[test]
fn has_a_loopback_device_and_dockers_parameters() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brnone", "10.77.0.1/24"));
        let sandbox = daemon.networks.sandbox_none().unwrap();
        inside(sandbox.as_fd(), || {
            let addresses = sh("ip -o addr show lo");
            assert!(addresses.contains("127.0.0.1/8") && !addresses.contains("inet6"), "{addresses}");
            assert!(sh("ip -o link show lo").contains(",UP"));
            assert!(!links().contains(&"eth0".to_owned()));
            let read = |name: &str| sh(&format!("cat /proc/sys/net/{name}"));
            assert_eq!(read("ipv6/conf/all/disable_ipv6"), "1\n");
            assert_eq!(read("ipv4/ip_unprivileged_port_start"), "0\n");
            assert_eq!(read("ipv4/ping_group_range"), "0\t2147483647\n");
        });
        // No bridge was asked for: none was made.
        assert!(!links().contains(&"brnone".to_owned()));
        daemon.networks.shutdown().unwrap();
        assert_clean(&[]);
    });
}

#[test]
fn an_idle_daemon_touches_nothing() {
    on_a_host(|| {
        let before = (sh("ip -o link show"), sh("nft list ruleset"), sh("cat /proc/sys/net/ipv4/ip_forward"));
        let daemon = Daemon::start(config("bridle", "10.77.1.1/24"));
        daemon.networks.prepare();
        std::thread::sleep(std::time::Duration::from_millis(100));
        let after = (sh("ip -o link show"), sh("nft list ruleset"), sh("cat /proc/sys/net/ipv4/ip_forward"));
        assert_eq!(before, after);
        daemon.networks.shutdown().unwrap();
    });
}
