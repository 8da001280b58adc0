//! What a container sees and may do (A012, A013, A136).

use berth_engine::spec::{MountKind, MountSpec, Origin, Reach, UlimitSpec};

use crate::harness::{run, script, with_engine};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("confinement::defaults_a012", defaults),
    ("confinement::limits_a013", limits),
    ("confinement::etc_files_a136", etc_files),
    ("confinement::mounts", mounts),
    ("confinement::users_and_directories", users_and_directories),
    ("confinement::read_only_and_sysctl", read_only),
    ("confinement::privileged", privileged),
    ("confinement::init", init),
    ("confinement::out_of_memory", out_of_memory),
];

fn defaults() {
    with_engine(|engine| async move {
        let probe = script(
            "echo $$; hostname; id -u; ls /sys/class/net; grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; \
             touch /sys/x 2>/dev/null || echo ro-sys; wc -c </proc/keys; ls /sys/firmware | wc -l; \
             grep ' /dev/shm ' /proc/mounts; echo x >/proc/sys/kernel/domainname; \
             test -e /.dockerenv && echo mark; pwd; echo $PATH $HOME",
        );
        let output = run(&engine.containers(), probe).await;
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines[0], "1");
        assert_eq!(lines[1].len(), 12);
        assert_eq!(lines[2..6], ["0", "lo", "CapEff:\t00000000a80425fb", "Seccomp:\t2"], "{output:?}");
        assert_eq!(lines[6..9], ["ro-sys", "0", "0"], "{output:?}");
        assert!(lines[9].contains("size=65536k"), "{}", lines[9]);
        assert_eq!(lines[10..], ["mark", "/", "/bin /root"], "{output:?}");
        assert!(output.stderr.contains("Read-only file system"), "{output:?}");
    });
}

fn limits() {
    with_engine(|engine| async move {
        let mut spec = script("cat /proc/self/cgroup; ulimit -n; ulimit -Hn");
        spec.resources.memory = 64 << 20;
        spec.resources.nano_cpus = 500_000_000;
        spec.resources.pids_limit = Some(50);
        spec.resources.ulimits = vec![UlimitSpec { name: "nofile".into(), soft: 100, hard: 200 }];
        let containers = engine.containers();
        let output = run(&containers, spec.clone()).await;
        assert!(output.stdout.ends_with("100\n200\n"), "{output:?}");
        spec.process.cmd = Some(vec!["sleep".into(), "100".into()]);
        let id = containers.create(None, spec).await.unwrap().id;
        containers.start(id.as_str()).await.unwrap();
        let view = containers.inspect(id.as_str()).unwrap();
        assert_eq!(view.spec.resources.memory_swap, 128 << 20);
        let cgroups = std::fs::read_to_string(format!("/proc/{}/cgroup", view.state.pid().unwrap())).unwrap();
        assert!(cgroups.lines().filter(|l| l.ends_with(id.as_str())).count() >= 1, "{cgroups}");
        let stats = containers.stats(id.as_str()).await.unwrap();
        assert!(format!("{stats:?}").contains("67108864"), "{stats:?}");
        assert_eq!(containers.processes(id.as_str()).await.unwrap().len(), 1);
        let mut small = script("true");
        small.resources.memory = 5 << 20;
        let error = containers.create(None, small).await.unwrap_err();
        assert_eq!(error.to_string(), "Minimum memory limit allowed is 6MB");
    });
}

fn etc_files() {
    with_engine(|engine| async move {
        let mut spec =
            script("mount | grep -c -E '/etc/(hosts|hostname|resolv.conf)'; cat /etc/hostname; cat /etc/hosts");
        spec.hostname = "box".into();
        spec.network.extra_hosts = vec!["h:1.2.3.4".into()];
        let output = run(&engine.containers(), spec).await;
        assert!(output.stdout.starts_with("3\nbox\n127.0.0.1\tlocalhost\n"), "{output:?}");
        assert!(output.stdout.contains("1.2.3.4\th\n"), "{output:?}");
    });
}

pub(crate) fn bind(source: &str, target: &str, readonly: bool, create_source: bool) -> MountSpec {
    MountSpec {
        target: target.into(),
        kind: MountKind::Bind {
            source: source.into(),
            propagation: String::new(),
            create_source,
            non_recursive: false,
            reach: Reach::Tree,
        },
        readonly,
        bind_text: None,
        origin: Origin::Asked,
    }
}

fn mounts() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let host = tempfile::tempdir().unwrap();
        let host = host.path().to_str().unwrap();
        std::fs::write(format!("{host}/f"), "from the host\n").unwrap();
        let mut spec = script(
            "cat /a/f; echo new >/a/g; echo x >/ro/h || echo refused; ls -d /a/f /made; grep ' /t ' /proc/mounts",
        );
        spec.mounts = vec![
            bind(host, "/a", false, true),
            bind(host, "/ro", true, true),
            bind(&format!("{host}/fresh/dir"), "/made", false, true),
            MountSpec {
                target: "/t".into(),
                kind: MountKind::Tmpfs { size: 1 << 20, mode: 0o700, options: "exec".into() },
                readonly: false,
                bind_text: None,
                origin: Origin::Asked,
            },
        ];
        let output = run(&containers, spec).await;
        assert!(output.stdout.starts_with("from the host\nrefused\n/a/f\n/made\n"), "{output:?}");
        let tmpfs = output.stdout.lines().last().unwrap();
        assert!(tmpfs.contains("size=1024k") && tmpfs.contains("mode=700") && !tmpfs.contains("noexec"), "{tmpfs}");
        assert_eq!(std::fs::read_to_string(format!("{host}/g")).unwrap(), "new\n");
        assert!(std::path::Path::new(&format!("{host}/fresh/dir")).is_dir());
        let mut missing = script("true");
        missing.mounts = vec![bind("/nosuch/path", "/x", false, false)];
        assert_eq!(
            containers.create(None, missing).await.unwrap_err().to_string(),
            "invalid mount config for type \"bind\": bind source path does not exist: /nosuch/path"
        );
    });
}

fn users_and_directories() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let mut spec = script(
            "id -u; id -g; id -G; echo $HOME; pwd; grep CapEff /proc/self/status; echo $A; echo ok >/dev/stderr",
        );
        spec.process.user = "web".into();
        spec.process.working_dir = "/made/on/demand".into();
        spec.process.env = vec!["A=b c".into()];
        let output = run(&containers, spec).await;
        assert_eq!(
            output.stdout, "33\n34\n34 20\n/home/web\n/made/on/demand\nCapEff:\t0000000000000000\nb c\n",
            "{output:?}"
        );
        assert_eq!(output.stderr, "ok\n");
        let mut nobody = script("true");
        nobody.process.user = "nosuch".into();
        let id = containers.create(None, nobody).await.unwrap().id;
        let error = containers.start(id.as_str()).await.unwrap_err();
        assert_eq!(error.to_string(), "unable to find user nosuch: no matching entries in passwd file");
    });
}

fn read_only() {
    with_engine(|engine| async move {
        let mut spec = script(
            "touch /f || echo refused; touch /dev/shm/f && echo shm; echo x >>/etc/hosts || echo hosts; cat /proc/sys/net/ipv4/ip_forward",
        );
        spec.isolation.readonly_rootfs = true;
        spec.isolation.sysctls.insert("net.ipv4.ip_forward".into(), "1".into());
        let output = run(&engine.containers(), spec).await;
        assert_eq!(output.stdout, "refused\nshm\nhosts\n1\n", "{output:?}");
    });
}

fn privileged() {
    with_engine(|engine| async move {
        let mut spec = script(
            "grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; grep ' /sys ' /proc/mounts; test -c /dev/loop-control && echo loop; \
             head -c 1 /proc/kcore | wc -c",
        );
        spec.isolation.privileged = true;
        let output = run(&engine.containers(), spec).await;
        let host = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = host.lines().find_map(|l| l.strip_prefix("CapBnd:\t")).unwrap();
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines[0], format!("CapEff:\t{mask}"), "{output:?}");
        assert_eq!(lines[1], "Seccomp:\t0");
        assert!(lines[2].contains(" rw,"), "{}", lines[2]);
        assert_eq!(lines[3], "loop", "{output:?}");
    });
}

fn init() {
    with_engine(|engine| async move {
        // The orphan's end is for pid 1 to reap; a shell that is not pid 1 has a number above it.
        let mut spec = script(
            "echo $$; (sh -c 'echo $$ >/orphan' &); until test -s /orphan; do sleep 0.05; done; \
             i=0; while test -e /proc/$(cat /orphan) && test $i -lt 1200; do i=$((i+1)); sleep 0.05; done; \
             test -e /proc/$(cat /orphan) || echo reaped; exit 3",
        );
        spec.isolation.init = true;
        let output = run(&engine.containers(), spec).await;
        assert_eq!((output.code, output.stdout.ends_with("\nreaped\n")), (3, true), "{output:?}");
        assert!(!output.stdout.starts_with("1\n"), "{output:?}");
    });
}

fn out_of_memory() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let since = jiff::Timestamp::now();
        let mut spec = script("");
        spec.process.cmd = Some(vec!["tail".into(), "/dev/zero".into()]);
        spec.resources.memory = 16 << 20;
        spec.resources.memory_swap = 16 << 20;
        let id = containers.create(None, spec).await.unwrap().id;
        containers.start(id.as_str()).await.unwrap();
        let exit = containers.wait(id.as_str(), berth_engine::WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(exit.code, 137);
        assert!(containers.inspect(id.as_str()).unwrap().state.exit().unwrap().oom_killed);
        let mut past = engine.events().subscribe(Some(since));
        let told: Vec<String> = std::iter::from_fn(|| past.next_past()).map(|event| event.action.clone()).collect();
        assert!(told.iter().any(|action| action == "oom"), "{told:?}");
    });
}
