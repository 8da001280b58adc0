//! What separates a container from its host and from others, and what it shares on request.

use crate::host::{Cli, Host, Wishes, until};
use crate::resources::{fails, sh};

rows![
    pid_modes,
    ipc_modes,
    uts_and_user_modes,
    network_of_another_container,
    conflicts_with_another_s_network,
    capabilities,
    groups,
    seccomp_profiles,
    privileged_devices_and_sys,
    unmasked_and_writable,
    read_only_root,
    an_init_reaps_and_forwards,
    a129_exec_as_somebody_with_something,
];

fn started(host: &Host, flags: &[&str]) -> String {
    let (image, name) = (host.image(), host.name("other"));
    host.run(&[&["run", "-d", "--name", &name], flags, &[&image, "sleep", "300"]].concat());
    name
}

fn pid_modes(host: &Host) {
    let ours = std::fs::read_link("/proc/self/ns/pid").unwrap().to_string_lossy().into_owned();
    assert_eq!(sh(host, &["--pid", "host"], "readlink /proc/self/ns/pid"), ours);
    let other = started(host, &[]);
    let mode = format!("container:{other}");
    let seen = sh(host, &["--pid", &mode], "cat /proc/1/cmdline | tr '\\0' ' '; echo; echo $$");
    let (first, own) = seen.split_once('\n').unwrap();
    assert_eq!(first, "sleep 300 ");
    assert_ne!(own, "1");
    let id = host.inspect(&other, "{{.Id}}");
    let name = host.name("pid");
    host.run(&["create", "--name", &name, "--pid", &mode, &host.image()]);
    assert_eq!(host.inspect(&name, "{{.HostConfig.PidMode}}"), format!("container:{id}"));
    host.run(&["rm", "-f", &name]);
    host.run(&["kill", &other]);
    until("it has ended", || host.inspect(&other, "{{.State.Running}}") == "false");
    fails(host, &["--pid", &mode]).fails_with(125, &format!("cannot join PID of a non running container: {id}"));
    host.run(&["rm", "-f", &other]);
    fails(host, &["--pid", "container:nosuchone"]).fails_with(125, "No such container: nosuchone");
    let made = host.try_run(&["create", "--pid", "container:nosuchone", &host.image()]);
    assert!(made.code != 0 && made.err.contains("No such container: nosuchone"), "{made:?}");
    assert!(!made.err.contains("Unable to find image"), "{made:?}");
    fails(host, &["--pid", "x"]).fails_with(125, "invalid PID mode");
}

fn ipc_modes(host: &Host) {
    let ours = std::fs::read_link("/proc/self/ns/ipc").unwrap().to_string_lossy().into_owned();
    assert_eq!(sh(host, &["--ipc", "host"], "readlink /proc/self/ns/ipc"), ours);
    assert_eq!(sh(host, &["--ipc", "none"], "grep -c ' /dev/shm ' /proc/mounts || true"), "0");
    let private = started(host, &["--ipc", "private"]);
    fails(host, &["--ipc", &format!("container:{private}")])
        .fails_with(125, "non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
    host.run(&["rm", "-f", &private]);
    let other = started(host, &["--ipc", "shareable", "--shm-size", "2m"]);
    host.run(&["exec", &other, "sh", "-c", "echo shared > /dev/shm/file"]);
    let mode = format!("container:{other}");
    let out = sh(
        host,
        &["--ipc", &mode],
        "cat /dev/shm/file; echo back > /dev/shm/back; df -k /dev/shm | tail -1; readlink /proc/self/ns/ipc",
    );
    assert!(out.starts_with("shared\n") && out.contains(" 2048 "), "{out}");
    assert_eq!(out.lines().last().unwrap(), host.run(&["exec", &other, "readlink", "/proc/self/ns/ipc"]));
    assert_eq!(host.run(&["exec", &other, "cat", "/dev/shm/back"]), "back");
    host.run(&["rm", "-f", &other]);
    fails(host, &["--ipc", "x"]).fails_with(125, "invalid IPC mode");
}

fn uts_and_user_modes(host: &Host) {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(sh(host, &["--uts", "host"], "hostname"), own.trim());
    fails(host, &["--uts", "host", "--hostname", "x"])
        .fails_with(125, "conflicting options: hostname and the UTS mode");
    assert_eq!(sh(host, &["--userns", "host"], "id -u"), "0");
    fails(host, &["--userns", "x"]).fails_with(125, "invalid USER mode");
}

fn network_of_another_container(host: &Host) {
    let other = started(host, &["--hostname", "first", "--add-host", "somewhere:1.2.3.4"]);
    let mode = format!("container:{other}");
    let look = "ip addr show eth0; cat /etc/hosts /etc/resolv.conf /etc/hostname; hostname; readlink /proc/self/ns/net";
    let theirs = host.run(&["exec", &other, "sh", "-c", look]);
    assert!(theirs.contains("1.2.3.4\tsomewhere"), "{theirs}");
    assert_eq!(sh(host, &["--network", &mode], look), theirs);
    let name = host.name("joined");
    host.run(&[
        "run",
        "-d",
        "--name",
        &name,
        "--network",
        &mode,
        &host.image(),
        "sh",
        "-c",
        "echo hello | nc -l -p 7777",
    ]);
    let heard = || host.try_run(&["exec", &other, "nc", "127.0.0.1", "7777"]);
    until("it is heard", || heard().out == "hello");
    let id = host.inspect(&other, "{{.Id}}");
    assert_eq!(
        host.inspect(&name, "{{.HostConfig.NetworkMode}} {{len .NetworkSettings.Networks}}"),
        format!("container:{id} 0")
    );
    host.run(&["rm", "-f", &name, &other]);
    fails(host, &["--network", "container:nosuchone"]).fails_with(125, "No such container: nosuchone");
}

fn conflicts_with_another_s_network(host: &Host) {
    let other = started(host, &["--network", "none"]);
    let mode = format!("container:{other}");
    for (flags, text) in [
        (&["--hostname", "x"][..], "conflicting options: hostname and the network mode"),
        (&["--dns", "1.1.1.1"], "conflicting options: dns and the network mode"),
        (&["--add-host", "a:1.2.3.4"], "conflicting options: custom host-to-IP mapping and the network mode"),
        (&["-p", "80:80"], "conflicting options: port publishing and the container type network mode"),
        (&["--expose", "80"], "conflicting options: port exposing and the container type network mode"),
    ] {
        fails(host, &[&["--network", &mode], flags].concat()).fails_with(125, text);
    }
    host.run(&["kill", &other]);
    until("it has ended", || host.inspect(&other, "{{.State.Running}}") == "false");
    fails(host, &["--network", &mode]).fails_with(125, "cannot join network of a non running container: ");
    host.run(&["rm", "-f", &other]);
}

fn capabilities(host: &Host) {
    let held = |flags: &[&str]| sh(host, flags, "grep CapEff /proc/self/status | cut -f 2");
    assert_eq!(held(&["--cap-drop", "ALL"]), "0000000000000000");
    assert_eq!(held(&["--cap-drop", "all", "--cap-add", "net_admin"]), "0000000000001000");
    assert_eq!(held(&["--cap-drop", "CAP_CHOWN"]), "00000000a80425fa");
    let all = held(&["--cap-add", "ALL"]);
    let without = held(&["--cap-add", "ALL", "--cap-drop", "CHOWN"]);
    assert_eq!(u64::from_str_radix(&all, 16).unwrap() & !1, u64::from_str_radix(&without, 16).unwrap());
    // Nobody but root has them at once.
    assert_eq!(held(&["-u", "web"]), "0000000000000000");
    fails(host, &["--cap-add", "NOPE"]).fails_with(125, "unknown capability: \"CAP_NOPE\"");
}

fn groups(host: &Host) {
    let id = |flags: &[&str]| sh(host, flags, "id");
    assert_eq!(
        id(&["-u", "web", "--group-add", "0", "--group-add", "4711"]).split_once("groups=").unwrap().1,
        "0(root),50(staff),1000(web),4711"
    );
    fails(host, &["--group-add", "nosuch"]).fails_with(125, "nable to find group nosuch");
    fails(host, &["-u", "web:nosuch"])
        .fails_with(125, "unable to find group nosuch: no matching entries in group file");
}

fn seccomp_profiles(host: &Host) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("no-mkdir.json");
    let rules = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}"#;
    std::fs::write(&path, rules).unwrap();
    let option = format!("seccomp={}", path.display());
    assert_eq!(sh(host, &["--security-opt", &option], "mkdir /x 2>/dev/null || echo refused"), "refused");
    std::fs::write(&path, "{").unwrap();
    assert_eq!(fails(host, &["--security-opt", &option]).code, 125);
    let mode = |flags: &[&str]| sh(host, flags, "grep Seccomp: /proc/self/status | cut -f 2");
    assert_eq!(mode(&["--security-opt", "seccomp=unconfined"]), "0");
    assert_eq!(mode(&["--security-opt", "seccomp=builtin"]), "2");
    // Rules that hold with a capability only: without SYS_ADMIN the default profile refuses unshare(2).
    let unshare = "unshare -m true 2>&1 && echo done || echo refused";
    assert!(sh(host, &[], unshare).ends_with("refused"));
    // What `unshare` mounts, AppArmor would refuse.
    let allowed = sh(host, &["--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"], unshare);
    assert!(allowed.ends_with("done"), "{allowed}");
}

fn privileged_devices_and_sys(host: &Host) {
    let script = "ls -d /dev/loop-control /dev/kmsg; grep -c ' /sys sysfs rw' /proc/mounts; ls /proc/kcore >/dev/null && wc -c < /proc/keys >/dev/null; grep -c ' /proc/sys ' /proc/mounts || true";
    let out = sh(host, &["--privileged"], script);
    assert!(out.starts_with("/dev/kmsg\n/dev/loop-control\n1\n"), "{out}");
    assert!(out.ends_with('0'), "{out}");
    let out = sh(host, &[], "ls /dev/loop-control 2>/dev/null || echo none; grep -c ' /sys sysfs ro' /proc/mounts");
    assert_eq!(out, "none\n1");
    let name = host.name("privileged");
    host.run(&["create", "--name", &name, "--privileged", &host.image()]);
    assert_eq!(
        host.inspect(&name, "{{.HostConfig.Privileged}} {{.HostConfig.SecurityOpt}} {{.HostConfig.MaskedPaths}}"),
        "true [label=disable] []"
    );
    host.run(&["rm", &name]);
}

fn unmasked_and_writable(host: &Host) {
    let masked = "grep -c ' /proc/[a-z]' /proc/mounts || true";
    assert_ne!(sh(host, &[], masked), "0");
    assert_eq!(sh(host, &["--security-opt", "systempaths=unconfined"], masked), "0");
    let privileges =
        |option: &str| sh(host, &["--security-opt", option], "grep NoNewPrivs /proc/self/status | cut -f 2");
    assert_eq!(privileges("no-new-privileges"), "1");
    assert_eq!(privileges("no-new-privileges:true"), "1");
    assert_eq!(privileges("no-new-privileges=false"), "0");
    fails(host, &["--security-opt", "x=y"]).fails_with(125, "invalid --security-opt 2: \"x=y\"");
    if host.is_berth() {
        let writable = "touch /sys/fs/cgroup/*/cgroup.procs 2>/dev/null || touch /sys/fs/cgroup/cgroup.procs 2>/dev/null && echo yes || echo no";
        assert_eq!(sh(host, &[], writable), "no");
        assert_eq!(sh(host, &["--security-opt", "writable-cgroups=true"], writable), "yes");
    }
}

fn read_only_root(host: &Host) {
    let script = "touch /x 2>/dev/null || echo root; touch /t/x && echo tmpfs; touch /dev/shm/x && echo shm; touch /etc/hosts 2>/dev/null || echo hosts";
    assert_eq!(sh(host, &["--read-only", "--tmpfs", "/t"], script), "root\ntmpfs\nshm\nhosts");
}

fn an_init_reaps_and_forwards(host: &Host) {
    // An orphan that ends must not stay as a zombie.
    let script = "(sh -c 'echo $$ > /orphan' & exec true); cat /proc/1/comm; until [ -s /orphan ]; do sleep 0.1; done; \
                  i=0; while [ -e /proc/$(cat /orphan) ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done; \
                  [ -e /proc/$(cat /orphan) ] || echo reaped";
    assert_eq!(sh(host, &["--init"], script), "docker-init\nreaped");
    let (image, name) = (host.image(), host.name("init"));
    let trap = "trap 'echo got; exit 9' USR1; echo ready; while :; do sleep 0.1; done";
    host.run(&["run", "-d", "--init", "--name", &name, &image, "sh", "-c", trap]);
    until("it listens", || host.run(&["logs", &name]).contains("ready"));
    host.run(&["kill", "-s", "USR1", &name]);
    assert_eq!(host.run(&["wait", &name]), "9");
    assert!(host.run(&["logs", &name]).contains("got"));
    assert_eq!(host.inspect(&name, "{{.HostConfig.Init}}"), "true");
    host.run(&["rm", &name]);
}

fn a129_exec_as_somebody_with_something(host: &Host) {
    let name = started(host, &["--cap-drop", "ALL", "-e", "KEPT=1", "-w", "/tmp"]);
    let held = |flags: &[&str]| {
        host.run(&[&["exec"], flags, &[&name, "sh", "-c", "grep CapEff /proc/self/status | cut -f 2"]].concat())
    };
    assert_eq!(held(&[]), "0000000000000000");
    if host.is_berth() {
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        let bounding = own.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap().trim();
        assert_eq!(held(&["--privileged"]), bounding);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("env");
    std::fs::write(&file, "# a comment\nFROM_FILE=yes\n").unwrap();
    let out = host.run(&[
        "exec",
        "--env-file",
        file.to_str().unwrap(),
        "-e",
        "KEPT=2",
        "-u",
        "1000:0",
        "-w",
        "/etc",
        &name,
        "sh",
        "-c",
        "id; pwd; echo $FROM_FILE $KEPT",
    ]);
    assert_eq!(out, "uid=1000(web) gid=0(root) groups=0(root)\n/etc\nyes 2");
    let nobody = host.try_run(&["exec", "-u", "nosuch", &name, "true"]);
    assert_eq!(nobody.code, 126, "{nobody:?}");
    assert!((nobody.out + &nobody.err).contains("unable to find user nosuch: no matching entries in passwd file"));
    host.run(&["rm", "-f", &name]);
}

fn with_flags(cli: Cli, flags: &[&str]) -> Host {
    Host::start_as(cli, Wishes { flags: flags.iter().map(ToString::to_string).collect(), ..Wishes::default() })
}

/// What the daemon's options decide for containers that say nothing.
#[test]
fn the_daemon_s_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("profile.json");
    std::fs::write(&profile, r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}"#).unwrap();
    let profile = profile.to_str().unwrap();
    let host = with_flags(
        Cli::Ours,
        &[
            "--no-new-privileges",
            "--seccomp-profile",
            profile,
            "--default-ipc-mode",
            "shareable",
            "--default-cgroupns-mode",
            "private",
            "--default-ulimit",
            "nofile=123:456",
            "--default-shm-size",
            "2m",
            "--init",
            "--cgroup-parent",
            "/berth-test-defaults",
        ],
    );
    let script = "grep NoNewPrivs /proc/self/status | cut -f 2; mkdir /x 2>/dev/null || echo refused; ulimit -Sn; ulimit -Hn; cat /proc/1/comm; df -k /dev/shm | tail -1";
    let out = sh(&host, &[], script);
    assert!(out.starts_with("1\nrefused\n123\n456\ndocker-init\n") && out.contains(" 2048 "), "{out}");
    assert_eq!(
        sh(
            &host,
            &["--security-opt", "seccomp=builtin", "--security-opt", "no-new-privileges=false"],
            "mkdir /x && echo done"
        ),
        "done"
    );
    let name = host.name("defaults");
    host.run(&["create", "--name", &name, &host.image()]);
    assert_eq!(
        host.inspect(
            &name,
            "{{.HostConfig.IpcMode}} {{.HostConfig.CgroupnsMode}} {{.HostConfig.ShmSize}} {{range .HostConfig.Ulimits}}{{.Name}} {{.Soft}} {{.Hard}}{{end}}"
        ),
        "shareable private 2097152 nofile 123 456"
    );
    host.run(&["rm", &name]);
    let info = host.run(&["info", "-f", "{{.SecurityOptions}}"]);
    assert!(
        info.contains("name=no-new-privileges") && info.contains(profile) && info.contains("name=cgroupns"),
        "{info}"
    );
}

/// What the daemon cannot be told.
#[test]
fn options_that_mean_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken.json");
    std::fs::write(&broken, "{").unwrap();
    let refused = |flags: &[&str], text: &str| {
        let mut command = std::process::Command::new(crate::host::BERTH);
        let done = crate::host::Done::from(
            command.args(["daemon", "--validate", "--config-file", "/dev/null"]).args(flags).output().unwrap(),
        );
        assert!(done.code != 0 && (done.err.clone() + &done.out).contains(text), "{flags:?}: {done:?}");
    };
    refused(&["--seccomp-profile", broken.to_str().unwrap()], "invalid --seccomp-profile");
    refused(&["--seccomp-profile", "/no/such/file"], "No such file");
    refused(&["--default-ipc-mode", "host"], "not one of private, shareable");
    refused(&["--default-cgroupns-mode", "x"], "not one of private, host");
    refused(&["--oom-score-adjust", "1001"], "it must be between -1000 and 1000");
    refused(&["--init-path", "init"], "the path must be absolute");
    if !std::path::Path::new("/run/systemd/system").exists() {
        refused(&["--exec-opt", "native.cgroupdriver=systemd"], "systemd does not run this host");
    }
}
