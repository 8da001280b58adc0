//! The little languages, good and bad.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use berth_api::host_config::PortMap;
use proptest::prelude::*;

use super::keys::Watch;
use super::{csv, device, env, keys, mount, network, port, security, ulimit};

#[test]
fn comma_separated() {
    assert_eq!(csv("a,b"), Ok(vec!["a".into(), "b".into()]));
    assert_eq!(csv("\"a,b\",c"), Ok(vec!["a,b".into(), "c".into()]));
    assert_eq!(csv("\"a\"\"b\""), Ok(vec!["a\"b".into()]));
    assert_eq!(csv("a,"), Ok(vec!["a".into(), String::new()]));
    assert!(csv("\"a").is_err() && csv("\"a\"b").is_err() && csv("a\"b").is_err());
}

fn ours(name: &str) -> Option<String> {
    (name == "HERE").then(|| "1".to_owned())
}

#[test]
fn environment() {
    let flags = ["A=b", "HERE", "GONE", "E="];
    assert_eq!(env::collect([].into_iter(), flags.into_iter(), &ours).unwrap(), ["A=b", "HERE=1", "GONE", "E="]);
    assert_eq!(env::check("=a").unwrap_err(), "invalid environment variable: =a");
    assert_eq!(env::check_label("=x").unwrap_err(), "invalid label '=x': empty name");
}

#[test]
fn environment_files() {
    let file = "\u{feff}A=b\n# comment\n\n  B = c\r\nHERE\nGONE\nE=\nQ=\"q\"  \n";
    let bad = env::parse_file(file.as_bytes(), Some(&ours)).unwrap_err();
    assert_eq!(bad, "variable 'B ' contains whitespaces");
    let file = file.replace("  B = c", "  B= c");
    let lines = env::parse_file(file.as_bytes(), Some(&ours)).unwrap();
    assert_eq!(lines, ["A=b", "B= c", "HERE=1", "E=", "Q=\"q\"  "]);
    assert_eq!(env::parse_file(b"=x", None).unwrap_err(), "no variable name on line '=x'");
    assert!(env::parse_file(b"\xff=x", None).is_err());
}

#[test]
fn mounts() {
    let bind = mount::parse("type=bind,src=/a,dst=/b,ro,bind-propagation=rslave").unwrap();
    assert_eq!((bind.kind.as_str(), bind.source.as_str(), bind.target.as_str()), ("bind", "/a", "/b"));
    assert!(bind.read_only && bind.bind_options.unwrap().propagation == "rslave");
    let tmpfs = mount::parse("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770").unwrap().tmpfs_options.unwrap();
    assert_eq!((tmpfs.size_bytes, tmpfs.mode), (1 << 20, 0o1770));
    assert_eq!(mount::parse("source=v,target=/v").unwrap().kind, "volume");
    for (text, reason) in [
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("type=bind", "target is required"),
        ("type=bind,target=/b,foo=bar", "unexpected key 'foo' in 'foo=bar'"),
        ("type=bind,target=/b,readonly=maybe", "invalid value for readonly: maybe"),
        ("type=bind,target=/b,tmpfs-size=1", "cannot mix 'tmpfs-*' options with mount type 'bind'"),
    ] {
        assert_eq!(mount::parse(text).unwrap_err(), reason);
    }
}

#[test]
fn volumes() {
    use mount::Volume::{Anonymous, Bind};
    assert_eq!(mount::parse_volume("/data"), Ok(Anonymous("/data".into())));
    assert_eq!(mount::parse_volume("/a:/b:ro"), Ok(Bind("/a:/b:ro".into())));
    assert_eq!(mount::parse_volume("name:/b"), Ok(Bind("name:/b".into())));
    let here = std::env::current_dir().unwrap();
    assert_eq!(mount::parse_volume("./x:/b"), Ok(Bind(format!("{}/x:/b", here.display()))));
    assert_eq!(mount::parse_tmpfs("/t:size=1m,noexec"), ("/t".into(), "size=1m,noexec".into()));
}

#[test]
fn ulimits() {
    let limit = ulimit::parse("nofile=1024:2048").unwrap();
    assert_eq!((limit.name.as_str(), limit.soft, limit.hard), ("nofile", 1024, 2048));
    assert_eq!(ulimit::parse("core=-1").map(|l| (l.soft, l.hard)), Ok((-1, -1)));
    for (text, reason) in [
        ("foo", "invalid ulimit argument: foo"),
        ("foo=1", "invalid ulimit type: foo"),
        ("nofile=5:3", "ulimit soft limit must be less than or equal to hard limit: 5 > 3"),
        ("nofile=a:b", "strconv.ParseInt: parsing \"b\": invalid syntax"),
    ] {
        assert_eq!(ulimit::parse(text).unwrap_err(), reason);
    }
}

#[test]
fn devices() {
    for (text, container, permissions) in [
        ("/dev/a", "/dev/a", "rwm"),
        ("/dev/a:/dev/b", "/dev/b", "rwm"),
        ("/dev/a:r", "/dev/a", "r"),
        ("/dev/a:/dev/b:rw", "/dev/b", "rw"),
    ] {
        let device = device::parse(text).unwrap();
        assert_eq!((device.path_in_container.as_str(), device.cgroup_permissions.as_str()), (container, permissions));
    }
    assert!(device::parse("/dev/a:/dev/b:q").is_err());
    assert_eq!(device::parse_bps("/dev/a:1mb").unwrap().rate, 1 << 20);
    assert_eq!(device::parse_weight("foo").unwrap_err(), "bad format: foo");
    assert_eq!(device::parse_gpus("all").unwrap().count, -1);
}

#[test]
fn ports() {
    let published = |text: &str| {
        let mut ports = PortMap::new();
        port::publish(text, &mut ports).map(|()| {
            let list = ports.into_iter().map(|(port, bindings)| {
                let binding = bindings.unwrap().remove(0);
                format!("{}:{}->{port}", binding.host_ip, binding.host_port)
            });
            list.collect::<Vec<_>>().join(" ")
        })
    };
    for (text, expected) in [
        ("80", ":->80/tcp"),
        ("8080:80", ":8080->80/tcp"),
        ("127.0.0.1::53/udp", "127.0.0.1:->53/udp"),
        ("[::1]:1:2", "::1:1->2/tcp"),
        ("8000-8001:80-81", ":8000->80/tcp :8001->81/tcp"),
        ("8000-8005:80", ":8000-8005->80/tcp"),
    ] {
        assert_eq!(published(text).unwrap(), expected, "{text}");
    }
    for (text, reason) in [
        ("abc", "invalid containerPort: abc"),
        ("99999:80", "invalid hostPort: 99999"),
        ("80:80:80", "invalid IP address: 80"),
        ("80/foo", "invalid proto: foo"),
    ] {
        assert_eq!(published(text).unwrap_err(), reason);
    }
    assert_eq!(port::expose("100-102/udp").unwrap(), ["100/udp", "101/udp", "102/udp"]);
}

#[test]
fn networks() {
    assert_eq!(network::parse("host").unwrap().name, "host");
    let custom = network::parse("name=n,alias=a,alias=b,ip=1.2.3.4").unwrap();
    assert_eq!(custom.endpoint.aliases.unwrap(), ["a", "b"]);
    assert_eq!(custom.endpoint.ipam_config.unwrap().ipv4_address, "1.2.3.4");
    assert_eq!(network::parse("name=a,foo=b").unwrap_err(), "invalid field key foo");
    assert_eq!(network::extra_host("h:1.2.3.4"), Ok("h:1.2.3.4".into()));
    assert_eq!(network::extra_host("h=[::1]"), Ok("h:::1".into()));
    assert_eq!(network::extra_host("h:host-gateway"), Ok("h:host-gateway".into()));
    assert_eq!(network::extra_host("foo").unwrap_err(), "bad format for add-host: \"foo\"");
    assert!(network::is_mac("92:d0:c6:0a:29:33") && !network::is_mac("foo"));
}

#[test]
fn security_options() {
    let options = |list: &[&str]| security::parse(&list.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>());
    let file = std::env::temp_dir().join(format!("berth-seccomp-{}.json", std::process::id()));
    std::fs::write(&file, "{ \"defaultAction\": \"SCMP_ACT_ALLOW\" }\n").unwrap();
    let read = options(&["no-new-privileges", &format!("seccomp={}", file.display()), "label=disable"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        read.unwrap().options,
        ["no-new-privileges", "seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}", "label=disable"]
    );
    assert!(options(&["systempaths=unconfined"]).unwrap().unmasked);
    assert_eq!(options(&["foo"]).unwrap_err(), "Invalid --security-opt: \"foo\"");
    assert_eq!(
        options(&["seccomp=/nope"]).unwrap_err(),
        "opening seccomp profile (/nope) failed: open /nope: no such file or directory"
    );
}

#[test]
fn detach_keys() {
    assert_eq!(keys::parse("ctrl-p,ctrl-q").unwrap(), keys::DEFAULT);
    assert_eq!(keys::parse("a,ctrl-],ctrl-_").unwrap(), [b'a', 29, 31]);
    assert!(keys::parse("ctrl-?").is_err() && keys::parse("").is_err() && keys::parse("ab").is_err());
    let mut watch = Watch::new(vec![16, 17]);
    assert_eq!(watch.feed(b"ab"), Some(b"ab".to_vec()));
    assert_eq!(watch.feed(&[16]), Some(vec![]));
    assert_eq!(watch.feed(b"x"), Some(vec![16, b'x']));
    assert_eq!(watch.feed(&[16, 16]), Some(vec![16]));
    assert_eq!(watch.feed(&[17]), None);
}

proptest! {
    #[test]
    fn never_panic(text in "\\PC{0,24}|[a-z0-9=:,/.\"\\[\\]-]{0,30}") {
        _ = (csv(&text), mount::parse(&text), mount::parse_volume(&text), ulimit::parse(&text), device::parse(&text));
        _ = (device::parse_bps(&text), device::parse_gpus(&text), network::parse(&text), network::extra_host(&text));
        _ = (port::expose(&text), port::publish(&text, &mut PortMap::new()), keys::parse(&text), env::check(&text));
    }

    #[test]
    fn files_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        _ = env::parse_file(&bytes, Some(&ours));
    }

    #[test]
    fn detaching_loses_nothing(chunks in proptest::collection::vec(proptest::collection::vec(15u8..19, 0..6), 0..6)) {
        let mut watch = Watch::new(vec![16, 17]);
        let typed: Vec<u8> = chunks.concat();
        let mut sent = Vec::new();
        let mut detached = false;
        for chunk in &chunks {
            match watch.feed(chunk) {
                Some(bytes) => sent.extend(bytes),
                None => { detached = true; break; }
            }
        }
        prop_assert_eq!(detached, typed.windows(2).any(|w| w == [16, 17]));
        if !detached {
            let held = usize::from(typed.last() == Some(&16));
            prop_assert_eq!(&sent[..], &typed[..typed.len() - held]);
        }
    }
}
