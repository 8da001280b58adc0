//! The plan of whole containers: what Docker's users rely on, field by field.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;

use berth_oci::ImageConfig;
use oci_spec::runtime::{LinuxNamespaceType, Mount};

use super::devices::HostDevice;
use super::user::UserFiles;
use super::*;
use crate::host::Limit;
use crate::spec::{MountKind, MountSpec, NetworkMode, Origin, Reach, VolumeMount};

fn host() -> HostFacts {
    HostFacts {
        hostname: "host".into(),
        cpus: 4,
        capabilities: capabilities::from_mask(0x1ff_ffff_ffff),
        limits: Limit::ALL.into_iter().collect(),
        cgroup_namespaces: true,
        seccomp: true,
        ..HostFacts::default()
    }
}

fn busybox() -> ContainerSpec {
    let mut spec = ContainerSpec { image: "busybox".into(), ..ContainerSpec::default() };
    spec.process.cmd = Some(vec!["sh".into()]);
    spec
}

fn id() -> ContainerId {
    ContainerId::parse(&"0123456789abcdef".repeat(4)).unwrap()
}

fn plan_on(host: &HostFacts, spec: &ContainerSpec, devices: &[HostDevice]) -> Result<Plan> {
    let effective = effective::merge(&id(), spec, &ImageConfig::default(), host)?;
    let paths = Paths {
        hosts: "/c/hosts".into(),
        hostname: "/c/hostname".into(),
        resolv_conf: "/c/resolv.conf".into(),
        volumes: "/volumes".into(),
        ..Paths::default()
    };
    let users =
        UserFiles { passwd: "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n".into(), group: String::new() };
    plan(Inputs {
        id: &id(),
        spec,
        effective: &effective,
        host,
        paths: &paths,
        users: &users,
        devices,
        block: &resources::BlockLimits::default(),
        joined: &namespaces::Joined::default(),
        cgroup_parent: "",
        policy: &Policy::default(),
        init_program: Path::new("/init"),
    })
}

fn planned(change: impl FnOnce(&mut ContainerSpec)) -> Plan {
    let mut spec = busybox();
    change(&mut spec);
    plan_on(&host(), &spec, &[]).unwrap()
}

/// One line a mount: destination, type, source, options.
fn mounts_of(plan: &Plan) -> Vec<String> {
    let line = |m: &Mount| {
        let options = m.options().as_deref().unwrap_or_default().join(",");
        let source = m.source().as_deref().unwrap_or(Path::new("")).display().to_string();
        format!("{} {} {source} {options}", m.destination().display(), m.typ().as_deref().unwrap_or(""))
    };
    plan.oci.mounts().as_deref().unwrap_or_default().iter().map(line).collect()
}

fn mount_at(plan: &Plan, destination: &str) -> String {
    let found = mounts_of(plan).into_iter().find(|line| line.split(' ').next() == Some(destination));
    found.unwrap_or_else(|| panic!("nothing is mounted at {destination}"))
}

fn bind(source: &str, target: &str) -> MountSpec {
    let kind = MountKind::Bind {
        source: source.into(),
        propagation: String::new(),
        create_source: false,
        non_recursive: false,
        reach: Reach::Tree,
    };
    MountSpec { target: target.into(), kind, readonly: false, bind_text: None, origin: Origin::Asked }
}

#[test]
fn a_plain_container_has_docker_s_mounts() {
    assert_eq!(
        mounts_of(&planned(|_| ())),
        [
            "/proc proc proc nosuid,noexec,nodev",
            "/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k",
            "/dev/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
            "/sys sysfs sysfs nosuid,noexec,nodev,ro",
            "/sys/fs/cgroup cgroup cgroup ro,nosuid,noexec,nodev",
            "/dev/mqueue mqueue mqueue nosuid,noexec,nodev",
            "/dev/shm tmpfs shm nosuid,noexec,nodev,mode=1777,size=67108864",
            "/etc/resolv.conf bind /c/resolv.conf rbind,rprivate",
            "/etc/hostname bind /c/hostname rbind,rprivate",
            "/etc/hosts bind /c/hosts rbind,rprivate",
        ]
    );
}

#[test]
fn a_plain_container_has_docker_s_process() {
    let plan = planned(|spec| spec.process.env = vec!["A=1".into(), "GONE".into()]);
    let process = plan.oci.process().as_ref().unwrap();
    assert_eq!(process.args().as_deref().unwrap(), ["sh"]);
    assert_eq!(process.cwd(), Path::new("/"));
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(process.env().as_deref().unwrap(), [path, "HOSTNAME=0123456789ab", "A=1", "HOME=/root"]);
    assert_eq!(process.terminal(), Some(false));
    assert_eq!(plan.oci.hostname().as_deref(), Some("0123456789ab"));
    assert_eq!(plan.cgroup, format!("/berth/{}", id()));
    let expected = capabilities::DEFAULT.iter().map(ToString::to_string).collect();
    assert_eq!(plan.seccomp, Seccomp::Default(expected));
    let linux = plan.oci.linux().as_ref().unwrap();
    assert_eq!(linux.masked_paths().as_deref().unwrap(), MASKED_PATHS);
    assert_eq!(linux.readonly_paths().as_deref().unwrap(), READONLY_PATHS);
    assert!(linux.seccomp().is_none());
}

#[test]
fn the_environment_s_order_of_precedence() {
    let env = |change: fn(&mut ContainerSpec)| {
        let plan = planned(change);
        plan.oci.process().as_ref().unwrap().env().clone().unwrap()
    };
    let tty = env(|spec| spec.process.tty = true);
    assert!(tty.contains(&"TERM=xterm".into()));
    let asked = env(|spec| {
        spec.process.tty = true;
        spec.process.env = vec!["TERM=vt100".into(), "HOME=/h".into(), "PATH=/p".into(), "HOSTNAME".into()];
    });
    assert_eq!(asked, ["PATH=/p", "TERM=vt100", "HOME=/h"]);
}

/// What each option changes in the plan, seen at one place each.
#[test]
fn options() {
    let kinds = |plan: &Plan| -> Vec<LinuxNamespaceType> {
        plan.oci.linux().as_ref().unwrap().namespaces().as_ref().unwrap().iter().map(|n| n.typ()).collect()
    };
    assert!(kinds(&planned(|_| ())).contains(&LinuxNamespaceType::Network));
    let on_host = planned(|spec| spec.network.mode = NetworkMode::Host);
    assert!(!kinds(&on_host).contains(&LinuxNamespaceType::Network));
    assert_eq!(on_host.oci.hostname().as_deref(), Some("host"));

    let v2 = HostFacts { cgroup_v2: true, ..host() };
    assert!(kinds(&plan_on(&v2, &busybox(), &[]).unwrap()).contains(&LinuxNamespaceType::Cgroup));
    assert!(!kinds(&planned(|_| ())).contains(&LinuxNamespaceType::Cgroup));

    let readonly = planned(|spec| spec.isolation.readonly_rootfs = true);
    assert_eq!(readonly.oci.root().as_ref().unwrap().readonly(), Some(true));
    assert_eq!(mount_at(&readonly, "/etc/hosts"), "/etc/hosts bind /c/hosts rbind,rprivate,ro");

    let init = planned(|spec| spec.isolation.init = true);
    assert_eq!(init.oci.process().as_ref().unwrap().args().as_deref().unwrap(), ["/sbin/docker-init", "--", "sh"]);
    assert_eq!(mount_at(&init, "/sbin/docker-init"), "/sbin/docker-init bind /init bind,ro,nosuid,nodev");

    let shm = planned(|spec| spec.resources.shm_size = 1 << 20);
    assert!(mount_at(&shm, "/dev/shm").ends_with("size=1048576"));

    let web = planned(|spec| spec.process.user = "web".into());
    let process = web.oci.process().as_ref().unwrap();
    assert_eq!((process.user().uid(), process.user().gid()), (33, 34));
    assert!(process.capabilities().as_ref().unwrap().effective().as_ref().unwrap().is_empty());
    assert_eq!(process.capabilities().as_ref().unwrap().bounding().as_ref().unwrap().len(), 14);

    let half = planned(|spec| spec.resources.nano_cpus = 500_000_000);
    let linux = half.oci.linux().as_ref().unwrap();
    let cpu = linux.resources().as_ref().unwrap().cpu().as_ref().unwrap();
    assert_eq!((cpu.quota(), cpu.period()), (Some(50_000), Some(100_000)));

    let below = planned(|spec| spec.resources.cgroup_parent = "mine/deep".into());
    assert_eq!(below.cgroup, format!("/mine/deep/{}", id()));

    let unconfined = planned(|spec| spec.isolation.seccomp = SeccompSpec::Unconfined);
    assert_eq!(unconfined.seccomp, Seccomp::Unconfined);
}

#[test]
fn privileged() {
    let device = HostDevice {
        path: "/dev/x".into(),
        block: true,
        major: 7,
        minor: 3,
        mode: 0o660,
        uid: 0,
        gid: 6,
        permissions: "rwm".into(),
    };
    let mut spec = busybox();
    spec.isolation.privileged = true;
    let plan = plan_on(&host(), &spec, std::slice::from_ref(&device)).unwrap();
    assert_eq!(plan.seccomp, Seccomp::Unconfined);
    assert_eq!(mount_at(&plan, "/sys"), "/sys sysfs sysfs nosuid,noexec,nodev");
    assert_eq!(mount_at(&plan, "/sys/fs/cgroup"), "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev");
    let linux = plan.oci.linux().as_ref().unwrap();
    assert!(linux.masked_paths().as_ref().unwrap().is_empty() && linux.readonly_paths().as_ref().unwrap().is_empty());
    assert_eq!(linux.devices().as_ref().unwrap()[0].path(), Path::new("/dev/x"));
    let rules = linux.resources().as_ref().unwrap().devices().as_ref().unwrap();
    assert!(rules.len() == 1 && rules[0].allow());

    spec.isolation.privileged = false;
    let plan = plan_on(&host(), &spec, &[device]).unwrap();
    let linux = plan.oci.linux().as_ref().unwrap();
    let rules = linux.resources().as_ref().unwrap().devices().as_ref().unwrap();
    assert!(!rules[0].allow() && rules.last().unwrap().major() == Some(7));
}

#[test]
fn the_user_s_mounts_replace_and_follow_ours() {
    let plan = planned(|spec| {
        spec.mounts = vec![bind("/s/deep", "/a/b/c"), bind("/s", "/a"), bind("/h", "/etc/hosts"), bind("/dev", "/dev")];
    });
    let lines = mounts_of(&plan);
    let at = |destination: &str| lines.iter().position(|l| l.split(' ').next() == Some(destination));
    assert!(at("/a") < at("/a/b/c"));
    assert_eq!(mount_at(&plan, "/etc/hosts"), "/etc/hosts bind /h rbind,rprivate");
    assert_eq!(lines.iter().filter(|l| l.starts_with("/etc/hosts ")).count(), 1);
    assert_eq!(at("/dev/pts"), None, "hidden by the user's /dev");
    assert_eq!(plan.need_sources.len(), 4);
}

#[test]
fn what_mounts_may_not_be() {
    let table = [
        (vec![bind("/s", "rel")], "invalid mount path: 'rel' mount path must be absolute"),
        (vec![bind("/s", "/x/..")], "invalid specification: destination can't be '/'"),
        (vec![bind("/s", "/x"), bind("/t", "/x/")], "Duplicate mount point: /x"),
        (vec![bind("rel", "/x")], "invalid mount path: 'rel' mount path must be absolute"),
    ];
    for (asked, expected) in table {
        assert_eq!(mounts::validate(&asked).unwrap_err().to_string(), expected);
    }
    assert_eq!(mounts::clean("//a/./b//../c/"), "/a/c");
    assert_eq!(mounts::clean("/../.."), "/");
}

#[test]
fn a_tmpfs_takes_the_user_s_word_over_the_default() {
    let plan = planned(|spec| {
        let kind = MountKind::Tmpfs { size: 4096, mode: 0o700, options: "exec,noatime".into() };
        spec.mounts =
            vec![MountSpec { target: "/t".into(), kind, readonly: true, bind_text: None, origin: Origin::Asked }];
    });
    assert_eq!(mount_at(&plan, "/t"), "/t tmpfs tmpfs nosuid,nodev,exec,noatime,size=4096,mode=700,ro");
}

/// Namespaces by kind; `*` behind one that is somebody else's.
fn namespaces_of(plan: &Plan) -> Vec<String> {
    let all = plan.oci.linux().as_ref().unwrap().namespaces().clone().unwrap_or_default();
    let mut names: Vec<String> =
        all.iter().map(|n| format!("{}{}", n.typ(), if n.path().is_some() { "*" } else { "" })).collect();
    names.sort();
    names
}

#[test]
fn shared_namespaces() {
    use crate::spec::{CgroupnsMode, IpcMode, PidMode};
    assert_eq!(namespaces_of(&planned(|_| ())), ["ipc", "mnt", "net", "pid", "uts"]);
    let open = planned(|spec| {
        spec.isolation.pid = PidMode::Host;
        spec.isolation.ipc = IpcMode::Host;
        spec.isolation.uts_host = true;
        spec.isolation.cgroupns = Some(CgroupnsMode::Private);
    });
    assert_eq!(namespaces_of(&open), ["cgroup", "mnt", "net"]);
    assert_eq!((open.oci.hostname(), open.oci.domainname()), (&None, &None));
    assert_eq!(mount_at(&open, "/dev/shm"), "/dev/shm bind /dev/shm rbind,rprivate");
    let none = planned(|spec| spec.isolation.ipc = IpcMode::None);
    assert!(!mounts_of(&none).iter().any(|line| line.starts_with("/dev/shm ")));
    let mut spec = busybox();
    spec.isolation.privileged = true;
    let v2 = HostFacts { cgroup_v2: true, ..host() };
    assert!(namespaces_of(&plan_on(&v2, &spec, &[]).unwrap()).contains(&"cgroup".to_owned()));
    assert!(!namespaces_of(&plan_on(&host(), &spec, &[]).unwrap()).contains(&"cgroup".to_owned()));
}

#[test]
fn confinement_by_the_daemon_and_by_the_container() {
    let profile = |spec: &ContainerSpec, host: &HostFacts| process::apparmor(spec, host);
    let confined = HostFacts { apparmor: true, apparmor_default: "docker-default".into(), ..host() };
    let mut spec = busybox();
    assert_eq!(profile(&spec, &host()), None);
    assert_eq!(profile(&spec, &confined).as_deref(), Some("docker-default"));
    spec.isolation.privileged = true;
    assert_eq!(profile(&spec, &confined).as_deref(), Some("unconfined"));
    spec.isolation.apparmor = Some("mine".into());
    assert_eq!(profile(&spec, &confined).as_deref(), Some("mine"));
    // A host with AppArmor whose default profile could not be loaded.
    let unloaded = HostFacts { apparmor_default: String::new(), ..confined };
    assert_eq!(profile(&busybox(), &unloaded), None);
    let writable = planned(|spec| spec.isolation.writable_cgroups = true);
    assert_eq!(mount_at(&writable, "/sys/fs/cgroup"), "/sys/fs/cgroup cgroup cgroup nosuid,noexec,nodev");
}

#[test]
fn device_rules_come_last_and_say_what_was_asked() {
    let plan =
        planned(|spec| spec.resources.device_rules = crate::spec::DeviceRule::parse("c 10:* rw").into_iter().collect());
    let rules = plan.oci.linux().as_ref().unwrap().resources().as_ref().unwrap().devices().clone().unwrap();
    let last = rules.last().unwrap();
    assert!(last.allow() && last.major() == Some(10) && last.minor().is_none());
    assert_eq!(last.access().as_deref(), Some("rw"));
}

fn volume(target: &str, subpath: &str, readonly: bool) -> MountSpec {
    let volume = VolumeMount { name: "v".into(), subpath: subpath.into(), ..VolumeMount::default() };
    let kind = MountKind::Volume(volume);
    MountSpec { target: target.into(), kind, readonly, bind_text: None, origin: Origin::Asked }
}

#[test]
fn volumes_and_what_goes_along_as_a_descriptor() {
    let plan = planned(|spec| {
        let image = MountKind::Image { reference: "i".into(), id: "sha256:0".into(), subpath: "etc".into() };
        let image =
            MountSpec { target: "/i/".into(), kind: image, readonly: true, bind_text: None, origin: Origin::Asked };
        spec.mounts = vec![volume("/v", "", false), volume("/r", "", true), volume("/s", "a/b", false), image];
    });
    assert_eq!(mount_at(&plan, "/v"), "/v bind /volumes/v/_data rbind,rprivate");
    assert_eq!(mount_at(&plan, "/r"), "/r bind /volumes/v/_data rbind,rprivate,rro");
    assert_eq!(mount_at(&plan, "/s"), "/s bind /volumes/v/_data/a/b rbind,rprivate");
    let opened: Vec<_> = plan.opened.iter().map(|o| (o.target.as_str(), &o.what, o.subpath.as_str())).collect();
    let (volume, image) = (mounts::Source::Volume("v".into()), mounts::Source::Image("sha256:0".into()));
    assert_eq!(opened, [("/s", &volume, "a/b"), ("/i", &image, "etc")]);
    // Read-only reaches what is mounted below, unless it is not to, or there is nothing below.
    for (reach, non_recursive, word) in [
        (Reach::Tree, false, "rro"),
        (Reach::Required, false, "rro"),
        (Reach::Top, false, "ro"),
        (Reach::Tree, true, "ro"),
    ] {
        let plan = planned(|spec| {
            let mut mount = MountSpec { readonly: true, ..bind("/s", "/b") };
            mount.kind = MountKind::Bind {
                source: "/s".into(),
                propagation: String::new(),
                create_source: false,
                non_recursive,
                reach,
            };
            spec.mounts = vec![mount];
        });
        assert_eq!(mount_at(&plan, "/b").rsplit(',').next(), Some(word));
    }
}
