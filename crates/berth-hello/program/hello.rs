//! What `berth/hello` runs: it says what it sees from inside its container.
//!
//! One file, the standard library, no system call that `/proc` can answer instead. It is compiled by this
//! crate's build script, statically, so that the image needs nothing but this one program.

use std::fs;
use std::net::Ipv4Addr;

fn main() {
    println!("Hello from a container.\n");
    for (name, value) in report() {
        println!("  {name:<14} {value}");
    }
    println!("\nThis program is the only file of its image. Try a bigger one:\n  berth run -it --rm debian bash");
}

fn report() -> Vec<(&'static str, String)> {
    let mounts = read("/proc/self/mountinfo");
    vec![
        ("pid", std::process::id().to_string()),
        ("hostname", read("/proc/sys/kernel/hostname").trim().to_owned()),
        ("user", user(&read("/proc/self/status"))),
        ("capabilities", capabilities(&read("/proc/self/status"))),
        ("seccomp", seccomp(&read("/proc/self/status"))),
        ("root", root_file_system(&mounts)),
        ("mounts", mount_points(&mounts)),
        ("memory limit", memory_limit()),
        ("cpu limit", cpu_limit()),
        ("pids limit", pids_limit()),
        ("address", addresses(&read("/proc/net/fib_trie"))),
        ("gateway", gateway(&read("/proc/net/route"))),
    ]
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The value of `key` in `/proc/self/status`.
fn status<'a>(text: &'a str, key: &str) -> &'a str {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap_or("").trim()
}

fn user(text: &str) -> String {
    let first = |key| status(text, key).split_whitespace().next().unwrap_or("?").to_owned();
    format!("uid {} gid {}", first("Uid"), first("Gid"))
}

/// Names by bit, as `capability.h` numbers them.
const CAPABILITIES: [&str; 41] = [
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
];

fn capabilities(text: &str) -> String {
    let set = u64::from_str_radix(status(text, "CapEff"), 16).unwrap_or(0);
    let names: Vec<&str> =
        CAPABILITIES.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, name)| *name).collect();
    match names.len() {
        0 => "none".to_owned(),
        count => format!("{count}: {}", names.join(" ")),
    }
}

fn seccomp(text: &str) -> String {
    match status(text, "Seccomp") {
        "2" => "filtered".to_owned(),
        "0" => "unconfined".to_owned(),
        other => other.to_owned(),
    }
}

/// Fields of one line of mountinfo: mount point, options, file system type.
fn mount_fields(line: &str) -> Option<(&str, &str, &str)> {
    let (left, right) = line.split_once(" - ")?;
    let mut fields = left.split(' ').skip(4);
    Some((fields.next()?, fields.next()?, right.split(' ').next()?))
}

fn root_file_system(mounts: &str) -> String {
    let root = mounts.lines().filter_map(mount_fields).rfind(|(point, ..)| *point == "/");
    match root {
        Some((_, options, kind)) => {
            let access = if options.split(',').any(|option| option == "ro") { "read-only" } else { "read-write" };
            format!("{kind}, {access}")
        }
        None => "unknown".to_owned(),
    }
}

fn mount_points(mounts: &str) -> String {
    let points: Vec<&str> = mounts.lines().filter_map(mount_fields).map(|(point, ..)| point).collect();
    format!("{}: {}", points.len(), points.join(" "))
}

/// The first of these files that can be read: cgroup v2's name, then v1's.
fn first_of(paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| fs::read_to_string(path).ok()).map(|text| text.trim().to_owned())
}

fn memory_limit() -> String {
    let limit = first_of(&["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]);
    match limit.and_then(|text| text.parse::<u64>().ok()).filter(|bytes| *bytes < 1 << 60) {
        Some(bytes) => format!("{} MiB", bytes >> 20),
        None => "none".to_owned(),
    }
}

fn cpu_limit() -> String {
    let text = first_of(&["/sys/fs/cgroup/cpu.max"]).or_else(|| {
        let quota = first_of(&["/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"])?;
        let period = first_of(&["/sys/fs/cgroup/cpu/cpu.cfs_period_us", "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us"])?;
        Some(format!("{quota} {period}"))
    });
    let parsed = text.and_then(|text| {
        let (quota, period) = text.split_once(' ')?;
        Some((quota.parse::<f64>().ok().filter(|quota| *quota > 0.0)?, period.parse::<f64>().ok()?))
    });
    parsed.map_or("none".to_owned(), |(quota, period)| format!("{:.2} CPUs", quota / period))
}

fn pids_limit() -> String {
    let limit = first_of(&["/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"]);
    limit.filter(|text| text != "max").unwrap_or_else(|| "none".to_owned())
}

/// The kernel lists an address of ours as a leaf `|-- ADDRESS` followed by `/32 host LOCAL`.
fn addresses(fib_trie: &str) -> String {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.filter(|address| !address.is_loopback() && !found.contains(address)));
        }
    }
    match found.as_slice() {
        [] => "none".to_owned(),
        several => several.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// `/proc/net/route` prints addresses as the host's integer of the network's bytes.
fn gateway(route: &str) -> String {
    let default = route.lines().skip(1).find_map(|line| {
        let mut fields = line.split('\t');
        let (_device, destination, gateway) = (fields.next()?, fields.next()?, fields.next()?);
        (destination == "00000000").then_some(gateway)
    });
    let address = default.and_then(|hex| u32::from_str_radix(hex, 16).ok());
    address.map_or("none".to_owned(), |raw| Ipv4Addr::from(raw.to_ne_bytes()).to_string())
}
