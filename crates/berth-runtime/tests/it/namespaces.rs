//! Namespaces, new and joined.

use std::fs;

use serde_json::json;

use crate::bundle::{Bundle, ours};

#[test]
fn a_container_is_alone() {
    let bundle = Bundle::new("echo /proc/[0-9]*; hostname; ip -o link | wc -l; ip -o link");
    let out = bundle.run().ok();
    assert!(out.starts_with("/proc/1\ninside\n1\n1: lo: <LOOPBACK,UP"), "{out}");
}

#[test]
fn user_namespaces_map_ids() {
    let mut bundle =
        Bundle::new("id -u; cat /proc/self/uid_map; touch /tmp/x; ls -ln /dev/null; echo > /dev/null; hostname");
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    for path in ["", "dev", "proc", "sys", "tmp"] {
        std::os::unix::fs::chown(bundle.root().join(path), Some(100_000), Some(100_000)).unwrap();
    }
    let out = bundle.run().ok();
    assert!(out.starts_with("0\n         0     100000      65536\n"), "{out}");
    assert!(out.ends_with("inside\n"), "{out}");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(bundle.root().join("tmp/x")).unwrap());
    assert_eq!(owner, 100_000);
}

#[test]
fn exec_into_a_user_namespace() {
    let mut bundle = Bundle::new("exec sleep 1000");
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    bundle.start();
    assert_eq!(bundle.exec("id -u; cat /proc/self/uid_map").ok(), "0\n         0     100000      65536\n");
}

#[test]
fn namespaces_of_another_container_are_joined() {
    let first = Bundle::new("exec sleep 1000");
    first.start();
    let pid = first.state()["pid"].to_string();
    let mut second = Bundle::new("for n in net ipc uts pid; do readlink /proc/self/ns/$n; done; ps");
    let names = [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid")];
    let mut namespaces: Vec<_> =
        names.iter().map(|(kind, file)| json!({ "type": kind, "path": format!("/proc/{pid}/ns/{file}") })).collect();
    namespaces.push(json!({ "type": "mount" }));
    second.config["linux"]["namespaces"] = json!(namespaces);
    second.config.as_object_mut().unwrap().remove("hostname");
    let out = second.run().ok();
    let expected: String = names
        .iter()
        .map(|(_, file)| format!("{}\n", fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap().display()))
        .collect();
    assert!(out.starts_with(&expected), "{out}\n{expected}");
    assert!(out.contains("sleep 1000"), "{out}");
}

#[test]
fn a_user_namespace_is_joined_by_path() {
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    let mut first = Bundle::new("exec sleep 1000");
    first.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    first.config["linux"]["uidMappings"] = map.clone();
    first.config["linux"]["gidMappings"] = map.clone();
    first.start();
    let pid = first.state()["pid"].to_string();
    let mut second = Bundle::new("id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/net; echo /proc/[0-9]*");
    second.config["linux"]["namespaces"] = json!([
        { "type": "user", "path": format!("/proc/{pid}/ns/user") },
        { "type": "network", "path": format!("/proc/{pid}/ns/net") },
        { "type": "mount" }, { "type": "pid" }, { "type": "uts" }, { "type": "ipc" },
    ]);
    if !ours() {
        second.config["linux"]["uidMappings"] = map.clone();
        second.config["linux"]["gidMappings"] = map;
    }
    let out = second.run().ok();
    let link = |file: &str| fs::read_link(format!("/proc/{pid}/ns/{file}")).unwrap().display().to_string();
    assert_eq!(out, format!("0\n{}\n{}\n/proc/1\n", link("user"), link("net")));
}

#[test]
fn time_namespaces_have_their_offsets() {
    if !ours() {
        eprintln!("skipped: older runtimes do not know time namespaces");
        return;
    }
    let mut bundle = Bundle::new("cat /proc/uptime; readlink /proc/self/ns/time");
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "time" }));
    bundle.config["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 1_000_000 }, "monotonic": { "secs": 7 } });
    let out = bundle.run().ok();
    let uptime: f64 = out.split_whitespace().next().unwrap().parse().unwrap();
    assert!(uptime > 1_000_000.0, "{out}");
    assert_ne!(out.lines().nth(1).unwrap(), fs::read_link("/proc/self/ns/time").unwrap().to_str().unwrap());
}

#[test]
fn parameters_are_set_in_the_containers_namespaces() {
    let mut bundle =
        Bundle::new("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/kernel/domainname");
    bundle.config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1", "kernel.shmmax": "12345678" });
    bundle.config["domainname"] = json!("example.test");
    let out = bundle.run().ok();
    assert!(out.starts_with("1\n12345678\n"), "{out}");
    if ours() {
        assert!(out.ends_with("example.test\n"), "{out}");
    }
}
