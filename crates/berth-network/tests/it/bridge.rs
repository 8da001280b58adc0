//! The default bridge: addresses, who reaches whom, and exhaustion.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use berth_network::{Error, NetworkConfig};

use crate::host::{
    Daemon, HOST, WORLD, World, assert_clean, config, dial, eventually, here, inside, kept_away, on_a_host, sh,
};

#[test]
fn a_container_is_configured_as_dockers_are() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brconf", "10.71.0.1/24"));
        let (sandbox, endpoint) = daemon.networks.sandbox_bridge("one").unwrap();
        assert_eq!(endpoint.gateway, Ipv4Addr::new(10, 71, 0, 1));
        assert_eq!(endpoint.mac.to_string()[..6], *"02:42:");
        assert_eq!(daemon.networks.endpoint("one"), Some(endpoint.clone()));
        inside(sandbox.as_fd(), || {
            let address = sh("ip -o addr show eth0");
            let expected = format!("inet {}/24 brd 10.71.0.255 scope global eth0", endpoint.address);
            assert!(address.contains(&expected) && !address.contains("inet6"), "{address}");
            assert!(sh("ip -o link show eth0").contains(&format!("link/ether {}", endpoint.mac)));
            assert_eq!(sh("ip route show default").trim(), "default via 10.71.0.1 dev eth0");
            assert_eq!(sh("cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6"), "1\n");
        });
        let port = sh(&format!("ip -o link show {}", endpoint.host_interface));
        assert!(port.contains("master brconf"), "{port}");
        assert_eq!(sh("cat /proc/sys/net/ipv4/ip_forward"), "1\n");
        let bridge = daemon.networks.bridge().unwrap();
        assert_eq!((bridge.name.as_str(), bridge.subnet.to_string().as_str()), ("brconf", "10.71.0.0/24"));
        drop(sandbox);
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
        assert_clean(&[]);
    });
}

#[test]
fn who_reaches_whom() {
    on_a_host(|| {
        let world = World::connect();
        let daemon = Daemon::start(config("brreach", "10.72.0.1/24"));
        let (one, at_one) = daemon.networks.sandbox_bridge("one").unwrap();
        let (two, at_two) = daemon.networks.sandbox_bridge("two").unwrap();
        let host = here();
        // Containers reach each other and their host, and the host them, under their own addresses.
        assert_eq!(dial(one.as_fd(), two.as_fd(), at_two.address), Some(at_one.address));
        assert_eq!(dial(one.as_fd(), host.as_fd(), at_one.gateway), Some(at_one.address));
        assert_eq!(dial(host.as_fd(), one.as_fd(), at_one.address), Some(at_one.gateway));
        // The world sees the host.
        assert_eq!(dial(one.as_fd(), world.as_fd(), WORLD), Some(HOST));
        // A neighbour with a route gets in nowhere.
        world.run("ip route add 10.72.0.0/24 via 10.99.0.1");
        assert!(kept_away(world.as_fd(), one.as_fd(), at_one.address));
        drop((one, two));
        for id in ["one", "two"] {
            daemon.networks.release(id).unwrap();
        }
        daemon.networks.shutdown().unwrap();
        assert_clean(&["cable"]);
    });
}

#[test]
fn an_address_is_not_reused_before_its_link_is_gone() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brreuse", "10.73.0.1/29"));
        let (kept, first) = daemon.networks.sandbox_bridge("first").unwrap();
        daemon.networks.release("first").unwrap();
        let mut others = Vec::new();
        for n in 0..4 {
            let (sandbox, endpoint) = daemon.networks.sandbox_bridge(&format!("other{n}")).unwrap();
            assert_ne!(endpoint.address, first.address, "its link still stands");
            others.push(sandbox);
        }
        let full = daemon.networks.sandbox_bridge("late");
        let Err(error @ Error::Exhausted { .. }) = full else { panic!("{full:?}") };
        assert_eq!(
            error.to_string(),
            "no address is free on network bridge: 10.73.0.0/29 has 5 addresses for containers and all are in use"
        );
        drop(kept);
        // The kernel takes the namespace down in its own time.
        let mut late = None;
        eventually("its link is gone", || {
            late = daemon.networks.sandbox_bridge("late").ok();
            late.is_some()
        });
        assert_eq!(late.unwrap().1.address, first.address);
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
    });
}

#[test]
fn a_range_is_chosen_around_what_the_host_uses_and_remembered() {
    on_a_host(|| {
        sh("ip link add other type bridge; ip addr add 172.17.5.1/24 dev other; ip link set other up");
        let config = NetworkConfig { bridge: "brauto".into(), ..NetworkConfig::default() };
        let daemon = Daemon::start(config.clone());
        let (_sandbox, endpoint) = daemon.networks.sandbox_bridge("one").unwrap();
        assert_eq!(endpoint.gateway, Ipv4Addr::new(172, 18, 0, 1));
        assert!(matches!(daemon.networks.sandbox_bridge("one"), Err(Error::AlreadyAttached { .. })));
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
        sh("ip link del other");
        let again = crate::host::open(daemon.directory.path(), config);
        assert_eq!(again.bridge().unwrap().gateway, Ipv4Addr::new(172, 18, 0, 1), "remembered");
        again.shutdown().unwrap();
    });
}

#[test]
fn an_interface_that_is_no_bridge_is_refused() {
    on_a_host(|| {
        sh("ip link add brdummy type veth peer name brdummy2");
        let daemon = Daemon::start(config("brdummy", "10.74.0.1/24"));
        let error = daemon.networks.sandbox_bridge("one").unwrap_err();
        assert_eq!(error.to_string(), "interface brdummy exists and is not a bridge");
        daemon.networks.shutdown().unwrap();
        assert!(sh("ip link show brdummy").contains("brdummy"), "it was not ours to remove");
    });
}

#[test]
fn an_administrators_bridge_keeps_its_address_and_stays() {
    on_a_host(|| {
        sh("ip link add bradmin type bridge; ip addr add 10.75.0.9/24 dev bradmin; ip link set bradmin up");
        let daemon = Daemon::start(NetworkConfig { bridge: "bradmin".into(), ..NetworkConfig::default() });
        let (sandbox, endpoint) = daemon.networks.sandbox_bridge("one").unwrap();
        assert_eq!(endpoint.gateway, Ipv4Addr::new(10, 75, 0, 9));
        drop(sandbox);
        daemon.networks.release("one").unwrap();
        daemon.networks.shutdown().unwrap();
        assert!(sh("ip addr show bradmin").contains("10.75.0.9/24"));
        assert_clean(&["bradmin"]);
    });
}

#[test]
fn a_bridge_removed_by_somebody_is_made_again() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brgone", "10.76.0.1/24"));
        let first: Vec<_> = (0..2).map(|n| daemon.networks.sandbox_bridge(&format!("a{n}")).unwrap()).collect();
        eventually("the stock is full", || sh("ip -o link show master brgone").lines().count() >= 5);
        sh("ip link del brgone");
        // What was prepared hangs on the old bridge; the first refill notices.
        let later: Vec<_> = (0..6).map(|n| daemon.networks.sandbox_bridge(&format!("b{n}")).unwrap()).collect();
        let (last, endpoint) = later.last().unwrap();
        let host = here();
        assert_eq!(dial(last.as_fd(), host.as_fd(), endpoint.gateway), Some(endpoint.address));
        drop((first, later));
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
        assert_clean(&[]);
    });
}

#[test]
#[ignore = "for a kernel without nftables, such as the VM's engine uml"]
fn without_nftables_the_bridge_works_and_says_what_does_not() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brplain", "10.78.0.1/24"));
        let (one, at_one) = daemon.networks.sandbox_bridge("one").unwrap();
        let (two, at_two) = daemon.networks.sandbox_bridge("two").unwrap();
        assert_eq!(dial(one.as_fd(), two.as_fd(), at_two.address), Some(at_one.address));
        assert_eq!(dial(one.as_fd(), here().as_fd(), at_one.gateway), Some(at_one.address));
        let warnings = daemon.networks.warnings();
        assert!(warnings.len() == 1 && warnings[0].starts_with("this kernel has no nftables"), "{warnings:?}");
        println!("{warnings:?}");
        drop((one, two));
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
        eventually("the bridge is gone", || !sh("ip -o link").contains("brplain"));
    });
}

#[test]
fn a_container_does_not_reach_the_hosts_loopback() {
    let reached = |firewall: bool| {
        on_a_host(|| {
            let daemon = Daemon::start(NetworkConfig { firewall, ..config("brloop", "10.79.0.1/24") });
            let (one, _) = daemon.networks.sandbox_bridge("one").unwrap();
            // As publishing on 127.0.0.1 will have it; the container does what it can.
            sh("echo 1 > /proc/sys/net/ipv4/conf/brloop/route_localnet");
            inside(one.as_fd(), || {
                sh("echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet; ip addr flush dev lo
                    ip route add 127.0.0.0/8 via 10.79.0.1 dev eth0");
            });
            let reached = !kept_away(one.as_fd(), here().as_fd(), Ipv4Addr::LOCALHOST);
            drop(one);
            daemon.networks.release("one").unwrap();
            daemon.networks.shutdown().unwrap();
            assert_clean(&[]);
            reached
        })
    };
    assert!(!reached(true));
    assert!(reached(false), "the test itself is right: without our rule it gets there");
}
