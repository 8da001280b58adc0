//! Beside a dockerd that drops whatever is forwarded and not its own: our containers get out, and it is left alone.

use crate::dockerd::Dockerd;
use crate::host::{Cli, Host, Wishes};
use crate::namespaces::Namespaces;

/// The other machine. It knows no way back to any container.
const WORLD: &str = "10.99.0.2";

/// A machine of our own, and the world at the other end of its cable.
fn two_machines() -> (Namespaces, Namespaces) {
    let (here, world) = (Namespaces::new(&["--net"]), Namespaces::new(&["--net"]));
    here.sh(&format!(
        "ip link set lo up; ip link add cable type veth peer name cable netns {}
         ip addr add 10.99.0.1/24 dev cable; ip link set cable up
         echo 0 > /proc/sys/net/ipv4/ip_forward",
        world.pid()
    ));
    world.sh(&format!("ip link set lo up; ip addr add {WORLD}/24 dev cable; ip link set cable up"));
    (here, world)
}

/// `iptables-save` without comments and counters.
fn rules(of: &Namespaces) -> Vec<String> {
    let saved = of.sh("iptables-save");
    let lines = saved.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(" [").next().unwrap().to_owned()).collect()
}

#[test]
fn dockerd_is_left_alone() {
    let (here, world) = two_machines();
    let dockerd = Dockerd::start(&here.words(), &[]);
    let before = rules(&here);
    assert!(before.contains(&":FORWARD DROP".to_owned()), "{before:?}");
    let links = here.sh("ip -o link | wc -l");

    let host = Host::start_as(Cli::Ours, Wishes { wrapper: here.words(), ..Wishes::default() });
    let tag = format!("berth {} ", host.daemon().bridge());
    let name = host.name("out");
    let busybox = ["-v", "/bin/busybox:/busybox:ro", "--entrypoint", "/busybox", "berth/hello"];
    host.run(&[&["run", "-d", "--name", &name], &busybox[..], &["sleep", "300"]].concat());
    let out = host.run(&["exec", &name, "/busybox", "ping", "-c", "1", "-W", "5", WORLD]);
    assert!(out.contains("1 packets received"), "{out}");

    let (ours, others): (Vec<String>, Vec<String>) = rules(&here).into_iter().partition(|rule| rule.contains(&tag));
    assert_eq!(others, before, "nothing of dockerd's has changed, nor its order");
    assert!(!ours.is_empty() && ours.iter().all(|rule| rule.starts_with("-A DOCKER-USER ")), "{ours:?}");

    drop(host);
    assert_eq!(rules(&here), before);
    assert!(!here.sh("nft list tables").contains("berth"));
    assert_eq!(here.sh("ip -o link | wc -l"), links);
    drop(dockerd);
    assert!(here.processes().is_empty() && world.processes().is_empty(), "{:?}", here.processes());
}
