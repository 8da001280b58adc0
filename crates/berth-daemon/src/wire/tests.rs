//! Create requests: what becomes of a rich one, what is refused, and what Docker says to nonsense.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use berth_api::CreateRequest;
use berth_api::host_config::Ulimit;
use berth_engine::spec::{ContainerSpec, LogDriver, MountKind, NetworkMode, SeccompSpec};
use http::StatusCode;
use serde_json::{Value, json};

use super::create::{Asked, Defaults};
use super::echo;
use crate::http::error::ApiError;

fn defaults() -> Defaults {
    Defaults::default()
}

fn spec_with(body: &Value, defaults: &Defaults) -> Result<ContainerSpec, ApiError> {
    let request = CreateRequest::decode(body.to_string().as_bytes()).unwrap();
    ContainerSpec::try_from(Asked { request, platform: "", defaults })
}

fn spec(body: &Value) -> Result<ContainerSpec, ApiError> {
    spec_with(body, &defaults())
}

fn host(host: Value) -> Result<ContainerSpec, ApiError> {
    spec(&json!({"Image": "busybox", "HostConfig": host}))
}

#[test]
fn a_rich_request() {
    let spec = spec(&json!({
        "Image": "busybox", "Cmd": ["sh"], "Env": ["A=1"], "Tty": true, "OpenStdin": true, "StdinOnce": true,
        "Labels": {"k": "v"}, "Hostname": "h", "WorkingDir": "/w", "User": "1:2", "StopSignal": "SIGINT", "StopTimeout": 3,
        "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["NONE"]}, "SomethingNew": 1,
        "HostConfig": {
            "Binds": ["/:/host:ro", "vol:/v:nocopy"], "VolumesFrom": ["other:ro"], "VolumeDriver": "local", "Tmpfs": {"/t": "size=1m"}, "NetworkMode": "none", "Memory": 67108864, "NanoCpus": 500000000,
            "PidsLimit": 50, "CapAdd": ["NET_ADMIN"], "SecurityOpt": ["seccomp=unconfined"], "Init": true, "AutoRemove": true,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}, "ExtraHosts": ["h:1.2.3.4"], "ConsoleSize": [10, 20],
            "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}], "RestartPolicy": {"Name": "no"}, "Runtime": "runc",
            "Mounts": [{"Type": "tmpfs", "Target": "/m", "TmpfsOptions": {"SizeBytes": 4096, "Mode": 448}},
                {"Type": "volume", "Source": "w", "Target": "/w", "VolumeOptions": {"NoCopy": true, "Labels": {"a": "b"}, "Subpath": "s",
                    "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs"}}}}],
        },
        "NetworkingConfig": {"EndpointsConfig": {"none": {"IPAMConfig": {}, "MacAddress": ""}}},
    }))
    .unwrap();
    assert_eq!((spec.network.mode.clone(), spec.console_size, spec.auto_remove), (NetworkMode::None, (10, 20), true));
    assert_eq!(spec.network.exposed_ports, ["80/tcp"]);
    assert_eq!(spec.isolation.seccomp, SeccompSpec::Unconfined);
    assert!(spec.isolation.init && spec.process.tty && spec.stdio.stdin_once);
    assert_eq!((spec.stop_signal.as_deref(), spec.stop_timeout), (Some("SIGINT"), Some(3)));
    let kinds: Vec<_> = spec.mounts.iter().map(|mount| (mount.target.as_str(), &mount.kind, mount.readonly)).collect();
    assert!(matches!(kinds[0], ("/host", MountKind::Bind { create_source: true, .. }, true)));
    assert!(matches!(kinds[1], ("/v", MountKind::Volume(volume), false) if volume.name == "vol" && volume.no_copy));
    assert!(matches!(kinds[2], ("/m", MountKind::Tmpfs { size: 4096, mode: 448, .. }, false)));
    assert!(matches!(kinds[4], ("/t", MountKind::Tmpfs { options, .. }, false) if options == "size=1m"));
    // What was asked for can be shown again.
    let shown = serde_json::to_value(echo::host_config(&spec, "host")).unwrap();
    for (name, value) in [
        ("Binds", json!(["/:/host:ro", "vol:/v:nocopy"])),
        ("VolumesFrom", json!(["other:ro"])),
        ("VolumeDriver", json!("local")),
        ("Tmpfs", json!({"/t": "size=1m"})),
        ("Memory", json!(67108864)),
        ("MemorySwap", json!(134217728)),
        ("CapAdd", json!(["NET_ADMIN"])),
        ("NetworkMode", json!("none")),
        ("Ulimits", json!([{"Name": "nofile", "Soft": 100, "Hard": 200}])),
        ("Init", json!(true)),
        (
            "Mounts",
            json!([{"Type": "tmpfs", "Target": "/m", "TmpfsOptions": {"SizeBytes": 4096, "Mode": 448}},
                {"Type": "volume", "Source": "w", "Target": "/w", "VolumeOptions": {"NoCopy": true, "Labels": {"a": "b"}, "Subpath": "s",
                    "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs"}}}}]),
        ),
        ("LogConfig", json!({"Type": "json-file", "Config": {"max-size": "1m"}})),
        ("ShmSize", json!(67108864)),
        ("SecurityOpt", json!(["seccomp=unconfined"])),
        ("ConsoleSize", json!([10, 20])),
        ("CgroupnsMode", json!("host")),
    ] {
        assert_eq!(shown[name], value, "{name}");
    }
}

#[test]
fn the_daemon_s_defaults_fill_what_is_left_open() {
    let ulimit = |name: &str, soft| Ulimit { name: name.into(), soft, hard: soft };
    let defaults = Defaults {
        ulimits: vec![ulimit("nofile", 1), ulimit("nproc", 2)],
        log_options: [("max-size".to_owned(), "1m".to_owned())].into(),
        init: true,
        shm_size: 5,
        ..defaults()
    };
    let body =
        json!({"Image": "x", "HostConfig": {"Ulimits": [{"Name": "nofile", "Soft": 9, "Hard": 9}], "Init": false}});
    let spec = spec_with(&body, &defaults).unwrap();
    let limits: Vec<_> = spec.resources.ulimits.iter().map(|limit| (limit.name.as_str(), limit.soft)).collect();
    assert_eq!(limits, [("nofile", 9), ("nproc", 2)]);
    assert!(!spec.isolation.init);
    assert_eq!((spec.resources.shm_size, spec.log.options.len()), (5, 1));
    let none = spec_with(&json!({"Image": "x", "HostConfig": {"LogConfig": {"Type": "none"}}}), &defaults).unwrap();
    assert_eq!((none.log.driver, none.log.options.len()), (LogDriver::None, 0));
}

#[test]
fn nonsense_is_answered_in_docker_s_words() {
    for (asked, sentence) in [
        (
            json!({"IOMaximumIOps": 1}),
            "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps",
        ),
        (json!({"PidMode": "x"}), "invalid PID mode: x"),
        (json!({"PidMode": "container:"}), "invalid PID mode: container:"),
        (json!({"IpcMode": "x"}), "invalid IPC mode: x"),
        (json!({"UTSMode": "private"}), "invalid UTS mode: private"),
        (json!({"CgroupnsMode": "x"}), "invalid cgroup namespace mode: x"),
        (json!({"DeviceCgroupRules": ["x"]}), "invalid device cgroup rule format: 'x'"),
        (json!({"NetworkMode": "container:"}), "Invalid network mode: invalid container format container:<name|id>"),
        (
            json!({"NetworkMode": "container:x", "PublishAllPorts": true}),
            "conflicting options: port publishing and the container type network mode",
        ),
        (
            json!({"NetworkMode": "container:x", "Links": ["a:b"]}),
            "conflicting options: container type network can't be used with links. This would result in undefined behavior",
        ),
        (json!({"RestartPolicy": {"Name": "-it"}}), "invalid restart policy '-it'"),
        (
            json!({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 3}}),
            "maximum retry count cannot be used with restart policy 'always'",
        ),
        (
            json!({"RestartPolicy": {"Name": "always"}, "AutoRemove": true}),
            "can't create 'AutoRemove' container with restart policy",
        ),
        (json!({"CapAdd": ["NOPE"]}), "invalid CapAdd: unknown capability: \"CAP_NOPE\""),
        (
            json!({"Ulimits": [{"Name": "nofile", "Soft": 3, "Hard": 2}]}),
            "ulimit soft limit must be less than or equal to hard limit: 3 > 2",
        ),
        (
            json!({"LogConfig": {"Type": "json-file", "Config": {"x": "1"}}}),
            "unknown log opt 'x' for json-file log driver",
        ),
        (json!({"ExtraHosts": ["nope"]}), "bad format for add-host: \"nope\""),
        (json!({"Isolation": "hyperv"}), "invalid isolation 'hyperv' on linux"),
    ] {
        let refusal = host(asked).unwrap_err();
        assert_eq!((refusal.status, refusal.message.as_str()), (StatusCode::BAD_REQUEST, sentence));
    }
    let refusal = spec(&json!({"Image": "x", "WorkingDir": "a"})).unwrap_err();
    assert_eq!(refusal.message, "the working directory 'a' is invalid, it needs to be an absolute path");
}

#[test]
fn what_is_not_done_yet_is_refused_by_name() {
    for (asked, named) in [
        (
            json!({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}),
            "berth does not publish ports yet (-p, HostConfig.PortBindings)",
        ),
        (
            json!({"NetworkMode": "mine"}),
            "berth does not have networks besides bridge, host and none yet (--network NAME, HostConfig.NetworkMode: NAME)",
        ),
    ] {
        let refusal = host(asked).unwrap_err();
        assert_eq!((refusal.status, refusal.message.as_str()), (StatusCode::NOT_IMPLEMENTED, named));
    }
    for body in [
        json!({"NetworkingConfig": {"EndpointsConfig": {"mine": null}}}),
        json!({"NetworkingConfig": {"EndpointsConfig": {"bridge": {"Aliases": ["a"]}}}}),
    ] {
        assert_eq!(spec(&body).unwrap_err().status, StatusCode::NOT_IMPLEMENTED, "{body}");
    }
}

/// Empty objects and lists ask for nothing, however clients spell that.
#[test]
fn nothing_is_refused_of_what_clients_send_by_default() {
    host(json!({
        "PortBindings": {}, "Links": [], "VolumesFrom": null, "Devices": [], "DeviceRequests": null, "Dns": [], "BlkioWeightDevice": [],
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "NetworkMode": "default", "IpcMode": "", "PidMode": "",
        "UTSMode": "", "UsernsMode": "", "CgroupnsMode": "", "VolumeDriver": "", "ConsoleSize": [0, 0], "MemorySwappiness": -1,
        "OomKillDisable": false, "PidsLimit": 0, "LogConfig": {"Type": "", "Config": {}}, "MaskedPaths": null, "Isolation": "",
    }))
    .unwrap();
}

/// Limits, namespaces and devices: read, and shown as they were asked for.
#[test]
fn limits_and_isolation_are_read_and_shown() {
    let asked = json!({
        "KernelMemoryTCP": 8000000, "CpuRealtimePeriod": 1000, "CpuRealtimeRuntime": 900, "BlkioWeight": 300,
        "BlkioWeightDevice": [{"Path": "/dev/a", "Weight": 200}], "BlkioDeviceReadBps": [{"Path": "/dev/a", "Rate": 1}],
        "BlkioDeviceWriteBps": [{"Path": "/dev/a", "Rate": 2}], "BlkioDeviceReadIOps": [{"Path": "/dev/a", "Rate": 3}],
        "BlkioDeviceWriteIOps": [{"Path": "/dev/a", "Rate": 4}], "DeviceCgroupRules": ["c 1:* rw"], "PidMode": "host",
        "DeviceRequests": [{"Driver": "", "Count": -1, "DeviceIDs": null, "Capabilities": [["gpu"]], "Options": {}}],
        "IpcMode": "container:other", "UTSMode": "host", "UsernsMode": "host", "CgroupnsMode": "private",
        "NetworkMode": "container:other", "SecurityOpt": ["seccomp=builtin", "writable-cgroups=true", "label=disable"],
        "Devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"}],
        "CgroupParent": "/x", "OomKillDisable": true, "MemorySwappiness": 5,
    });
    let shown = serde_json::to_value(echo::host_config(&host(asked.clone()).unwrap(), "host")).unwrap();
    for (name, value) in asked.as_object().unwrap() {
        match name.as_str() {
            "SecurityOpt" => {
                assert_eq!(shown[name], json!(["label=disable", "seccomp=builtin", "writable-cgroups=true"]))
            }
            _ => assert_eq!(shown[name], *value, "{name}"),
        }
    }
    let privileged = echo::host_config(&host(json!({"Privileged": true})).unwrap(), "host");
    assert_eq!(privileged.security_opt, Some(vec!["label=disable".to_owned()]));
    assert_eq!((privileged.masked_paths, privileged.ipc_mode.as_str()), (None, "private"));
}
