//! Limits on what a container uses (A140), and what is said where this kernel has none.

use crate::host::{Done, Host};

rows![
    a140_memory_and_cpus,
    a140_every_limit_reaches_the_kernel,
    a140_block_devices,
    a140_what_cannot_be,
    a140_warnings_of_what_this_kernel_lacks,
    storage_of_a_size,
    cgroup_parents,
    cgroup_namespaces,
    ulimits_and_shared_memory,
    kernel_parameters,
];

/// What `sh -c SCRIPT` prints in a container made with these flags.
#[track_caller]
pub(crate) fn sh(host: &Host, flags: &[&str], script: &str) -> String {
    let image = host.image();
    host.run(&[&["run", "--rm"], flags, &[&image, "sh", "-c", script]].concat())
}

/// The end of a container that is expected to fail.
pub(crate) fn fails(host: &Host, flags: &[&str]) -> Done {
    let image = host.image();
    host.try_run(&[&["run", "--rm"], flags, &[&image, "true"]].concat())
}

/// Whether this kernel has a controller at all; without it berth discards its limits, and says so.
pub(crate) fn has_controller(name: &str) -> bool {
    let v1 = std::fs::read_to_string("/proc/cgroups").unwrap_or_default();
    let enabled = |line: &str| line.split_whitespace().next() == Some(name) && line.trim_end().ends_with('1');
    v1.lines().any(enabled)
}

pub(crate) fn is_v2() -> bool {
    std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

/// The contents of the cgroup's files, by the controllers' v1 and v2 names.
fn read(host: &Host, flags: &[&str], v1: &[&str], v2: &[&str]) -> Vec<String> {
    let files = if is_v2() { v2 } else { v1 };
    let script = format!("cd /sys/fs/cgroup; cat {}", files.join(" "));
    sh(host, flags, &script).lines().map(str::to_owned).collect()
}

fn a140_memory_and_cpus(host: &Host) {
    let read = read(
        host,
        &["-m", "64m", "--cpus", ".5"],
        &[
            "memory/memory.limit_in_bytes",
            "memory/memory.memsw.limit_in_bytes",
            "cpu/cpu.cfs_quota_us",
            "cpu/cpu.cfs_period_us",
        ],
        &["memory.max", "memory.swap.max", "cpu.max"],
    );
    match is_v2() {
        true => assert_eq!(read, ["67108864", "67108864", "50000 100000"]),
        false => assert_eq!(read, ["67108864", "134217728", "50000", "100000"]),
    }
}

fn a140_every_limit_reaches_the_kernel(host: &Host) {
    let flags = [
        "-m",
        "64m",
        "--memory-swap",
        "96m",
        "--memory-reservation",
        "32m",
        "--cpu-shares",
        "512",
        "--cpu-period",
        "50000",
        "--cpu-quota",
        "25000",
        "--pids-limit",
        "77",
    ];
    let cpus: &[&str] = &["--cpuset-cpus", "0", "--cpuset-mems", "0"];
    let flags = [&flags[..], if has_controller("cpuset") { cpus } else { &[] }].concat();
    let cpuset = if has_controller("cpuset") { "0" } else { "" };
    let script = "cd /sys/fs/cgroup; for f in cpuset/cpuset.cpus cpuset/cpuset.mems cpuset.cpus cpuset.mems; do \
                  [ ! -e $f ] || cat $f; done";
    assert_eq!(sh(host, &flags, script).lines().collect::<Vec<_>>().join(""), cpuset.repeat(2));
    let read = read(
        host,
        &flags,
        &[
            "memory/memory.memsw.limit_in_bytes",
            "memory/memory.soft_limit_in_bytes",
            "cpu/cpu.shares",
            "cpu/cpu.cfs_period_us",
            "cpu/cpu.cfs_quota_us",
            "pids/pids.max",
        ],
        &["memory.swap.max", "memory.low", "cpu.weight", "cpu.max", "pids.max"],
    );
    match is_v2() {
        true => assert_eq!(read, ["33554432", "33554432", "59", "25000 50000", "77"]),
        false => assert_eq!(read, ["100663296", "33554432", "512", "50000", "25000", "77"]),
    }
    if !is_v2() {
        let flags = ["-m", "64m", "--memory-swappiness", "7", "--oom-kill-disable", "--oom-score-adj", "123"];
        let script =
            "cd /sys/fs/cgroup/memory; cat memory.swappiness /proc/self/oom_score_adj; head -1 memory.oom_control";
        assert_eq!(sh(host, &flags, script), "7\n123\noom_kill_disable 1");
    }
    let name = host.name("shown");
    host.run(&[&["create", "--name", &name], &flags[..], &[&host.image()]].concat());
    let template = "{{with .HostConfig}}{{.Memory}} {{.MemorySwap}} {{.MemoryReservation}} {{.CpuShares}} {{.CpuPeriod}} {{.CpuQuota}} {{.CpusetCpus}} {{.CpusetMems}} {{.PidsLimit}}{{end}}";
    let expected = format!("67108864 100663296 33554432 512 50000 25000 {cpuset} {cpuset} 77");
    assert_eq!(host.inspect(&name, template), expected);
    host.run(&["rm", &name]);
}

/// A block device of this host that the kernel takes limits for.
fn disk() -> Option<(String, String)> {
    std::fs::read_dir("/sys/block").ok()?.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let number = std::fs::read_to_string(entry.path().join("dev")).ok()?.trim().to_owned();
        let device = format!("/dev/{name}");
        (name.starts_with("loop") && std::path::Path::new(&device).exists()).then_some((device, number))
    })
}

fn a140_block_devices(host: &Host) {
    let missing = fails(host, &["--device-read-bps", "/dev/nosuch:1mb"]);
    // The command lines take any "no such file" for the command's.
    missing.fails_with(127, "stat /dev/nosuch: no such file or directory");
    let (device, number) = disk().expect("every host of these tests has a loop device");
    let (bps, iops) = (format!("{device}:1mb"), format!("{device}:100"));
    let flags = [
        "--device-read-bps",
        &bps,
        "--device-write-bps",
        &bps,
        "--device-read-iops",
        &iops,
        "--device-write-iops",
        &iops,
    ];
    let read = read(
        host,
        &flags,
        &[
            "blkio/blkio.throttle.read_bps_device",
            "blkio/blkio.throttle.write_bps_device",
            "blkio/blkio.throttle.read_iops_device",
            "blkio/blkio.throttle.write_iops_device",
        ],
        &["io.max"],
    );
    match is_v2() {
        true => assert_eq!(read, [format!("{number} rbps=1048576 wbps=1048576 riops=100 wiops=100")]),
        false => assert_eq!(
            read,
            [
                format!("{number} 1048576"),
                format!("{number} 1048576"),
                format!("{number} 100"),
                format!("{number} 100")
            ]
        ),
    }
    fails(host, &["--device-read-bps", "/dev/x:nonsense"]).fails_with(125, "invalid rate for device");
}

fn a140_what_cannot_be(host: &Host) {
    for (flags, text) in [
        (&["-m", "4m"][..], "Minimum memory limit allowed is 6MB"),
        (
            &["-m", "32m", "--memory-swap", "16m"],
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (&["--memory-swap", "64m"], "You should always set the Memory limit when using Memoryswap limit, see usage"),
        (
            &["-m", "32m", "--memory-reservation", "64m"],
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        (&["--cpus", "1000"], "ange of CPUs is from 0.01 to"),
        (&["--cpu-quota", "10"], "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        (
            &["--cpu-period", "10"],
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        (&["--cpus", "1", "--cpu-quota", "5000"], "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
        (&["--oom-score-adj", "1001"], "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
        (&["--ulimit", "nofile=2:1"], "ulimit soft limit must be less than or equal to hard limit: 2 > 1"),
        (&["--device-cgroup-rule", "x"], "invalid device cgroup"),
        (&["--sysctl", "kernel.panic=1"], "sysctl 'kernel.panic=1' is not allowed"),
    ] {
        fails(host, flags).fails_with(125, text);
    }
    match has_controller("cpuset") {
        true => {
            fails(host, &["--cpuset-cpus", "a"]).fails_with(125, "Invalid value a for cpuset cpus");
            let text = "Requested CPUs are not available - requested 4095, available: ";
            fails(host, &["--cpuset-cpus", "4095"]).fails_with(125, text);
        }
        false => assert!(fails(host, &["--cpuset-cpus", "a"]).err.contains("Cpuset discarded.")),
    }
}

/// overlay2 without quotas in the file system below it.
fn storage_of_a_size(host: &Host) {
    let create = |option: &str| host.try_run(&["create", "--storage-opt", option, &host.image()]);
    let text = if host.is_berth() { "--storage-opt is not supported" } else { "--storage-opt is supported only for" };
    create("size=1G").fails_with(1, text);
    create("foo=1").fails_with(1, "Unknown option foo");
}

fn a140_warnings_of_what_this_kernel_lacks(host: &Host) {
    let image = host.image();
    let warned = |flags: &[&str]| {
        let done = host.try_run(&[&["create"], flags, &[&image]].concat());
        assert!(done.ok(), "{}", done.err);
        let shown = host.inspect(done.out.trim(), "{{.HostConfig.OomKillDisable}}");
        host.run(&["rm", done.out.trim()]);
        (done.err, shown)
    };
    let (warning, shown) = warned(&["--oom-kill-disable"]);
    match is_v2() {
        true => {
            assert!(
                warning.contains("Your kernel does not support OomKillDisable. OomKillDisable discarded."),
                "{warning}"
            );
            assert!(shown.contains("nil"), "{shown}");
            let (warning, _) = warned(&["--memory-swappiness", "5"]);
            assert!(warning.contains("Memory swappiness discarded."), "{warning}");
        }
        false => {
            assert!(
                warning.contains("OOM killer is disabled for the container, but no memory limit is set"),
                "{warning}"
            );
            assert_eq!(shown, "true");
        }
    }
    assert_eq!(warned(&["-m", "64m"]).0, "");
}

fn cgroup_parents(host: &Host) {
    let own = sh(host, &["--cgroup-parent", "/berth-test-parent/deep"], "cat /proc/self/cgroup");
    let below = own.lines().filter(|line| line.contains(":/berth-test-parent/deep/") || line.contains(":/../")).count();
    assert!(below >= 1 || is_v2(), "{own}");
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        // The parent is the user's: nobody removes it but who made it up.
        let parent = hierarchy.path().join("berth-test-parent");
        drop(std::fs::remove_dir(parent.join("deep")));
        drop(std::fs::remove_dir(parent));
    }
    if host.is_berth() {
        fails(host, &["--cgroup-parent", "/a/../b"]).fails_with(125, "it leads upwards");
    }
}

fn cgroup_namespaces(host: &Host) {
    let root = |line: &str| line.rsplit_once(':').is_some_and(|(_, path)| path == "/");
    let private = sh(host, &["--cgroupns", "private"], "cat /proc/self/cgroup");
    let limited = private.lines().filter(|line| !line.contains("::")).collect::<Vec<_>>();
    assert!(limited.iter().all(|line| root(line)), "{private}");
    let shared = sh(host, &["--cgroupns", "host"], "cat /proc/self/cgroup; readlink /proc/self/ns/cgroup");
    let ours = std::fs::read_link("/proc/self/ns/cgroup").unwrap();
    assert!(shared.ends_with(&*ours.to_string_lossy()), "{shared}");
    fails(host, &["--cgroupns", "x"]).fails_with(125, "invalid CGROUP mode");
    let name = host.name("cgroupns");
    host.run(&["create", "--name", &name, "--cgroupns", "private", &host.image()]);
    assert_eq!(host.inspect(&name, "{{.HostConfig.CgroupnsMode}}"), "private");
    host.run(&["rm", &name]);
}

fn ulimits_and_shared_memory(host: &Host) {
    let out = sh(
        host,
        &["--ulimit", "nofile=100:200", "--ulimit", "core=0", "--shm-size", "1m"],
        "ulimit -Sn; ulimit -Hn; ulimit -c; df -k /dev/shm | tail -1",
    );
    assert!(out.starts_with("100\n200\n0\n"), "{out}");
    assert!(out.contains(" 1024 "), "{out}");
}

fn kernel_parameters(host: &Host) {
    let out = sh(
        host,
        &["--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=1234"],
        "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax",
    );
    assert_eq!(out, "0\n1234");
    fails(host, &["--network", "host", "--sysctl", "net.ipv4.ip_forward=1"])
        .fails_with(125, "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace");
}
