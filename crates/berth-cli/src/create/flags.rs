//! The flags of `run` and `create`. All of Docker's parse; what the daemon cannot do yet it refuses by itself.

use crate::flag::Flag;
use crate::grammar::{device, env, mount, network, ulimit};
use crate::unit::{duration, number, size};

macro_rules! flags {
    ($name:ident, $($extra:expr),* $(,)?) => {
        pub(crate) const $name: &[Flag] = &[
            $($extra,)*
            Flag::list("add-host", "Another line of /etc/hosts (host:ip)").checked(|v| network::extra_host(v).map(drop)),
            Flag::typed("annotation", "map", ok, "Annotation for the OCI runtime"),
            Flag::list("attach", "Attach STDIN, STDOUT or STDERR").short('a').checked(check_stream),
            Flag::typed("blkio-weight", "uint16", |v| number::parse_uint(v, 16).map(drop), "Relative weight of block IO (10 to 1000, 0: off)"),
            Flag::list("blkio-weight-device", "Relative weight of block IO on a device").checked(|v| device::parse_weight(v).map(drop)),
            Flag::list("cap-add", "Add a Linux capability"),
            Flag::list("cap-drop", "Drop a Linux capability"),
            Flag::text("cgroup-parent", "Parent of the container's cgroup"),
            Flag::text("cgroupns", "Cgroup namespace (host|private)"),
            Flag::text("cidfile", "File to write the container's id to"),
            Flag::int("cpu-count", "Number of CPUs (Windows only)").hidden(),
            Flag::int("cpu-percent", "Share of CPUs (Windows only)").hidden(),
            Flag::int("cpu-period", "Length of a CPU period in microseconds"),
            Flag::int("cpu-quota", "CPU time in a period in microseconds"),
            Flag::int("cpu-rt-period", "Length of a real-time period in microseconds"),
            Flag::int("cpu-rt-runtime", "Real-time CPU time in a period in microseconds"),
            Flag::int("cpu-shares", "Relative weight of CPU time").short('c'),
            Flag::typed("cpus", "decimal", |v| number::parse_cpus(v).map(drop), "Number of CPUs"),
            Flag::text("cpuset-cpus", "CPUs it may run on (0-3, 0,1)"),
            Flag::text("cpuset-mems", "Memory nodes it may use (0-3, 0,1)"),
            Flag::list("device", "A device of the host"),
            Flag::list("device-cgroup-rule", "A rule of the cgroup's device list").checked(device::check_rule),
            Flag::list("device-read-bps", "Limit of bytes read from a device in a second").checked(|v| device::parse_bps(v).map(drop)),
            Flag::list("device-read-iops", "Limit of reads from a device in a second").checked(|v| device::parse_iops(v).map(drop)),
            Flag::list("device-write-bps", "Limit of bytes written to a device in a second").checked(|v| device::parse_bps(v).map(drop)),
            Flag::list("device-write-iops", "Limit of writes to a device in a second").checked(|v| device::parse_iops(v).map(drop)),
            Flag::switch("disable-content-trust", "Do not verify signatures").hidden(),
            Flag::list("dns", "A name server").checked(network::check_dns),
            Flag::list("dns-opt", "A resolver option").hidden(),
            Flag::list("dns-option", "A resolver option"),
            Flag::list("dns-search", "A search domain"),
            Flag::text("domainname", "NIS domain name"),
            Flag::switch("dry-run", "Make nothing: show what would happen"),
            Flag::text("entrypoint", "Instead of the image's ENTRYPOINT"),
            Flag::list("env", "Environment variable").short('e').checked(env::check),
            Flag::list("env-file", "File of environment variables"),
            Flag::list("expose", "A port or range it listens on"),
            Flag::text("format", "How --dry-run shows it: json, or a Go template"),
            Flag::typed("gpus", "gpu-request", |v| device::parse_gpus(v).map(drop), "GPUs ('all' for every one)"),
            Flag::list("group-add", "Another group"),
            Flag::text("health-cmd", "Command that tells whether it is healthy"),
            Flag::typed("health-interval", "duration", check_duration, "Time between checks (ms|s|m|h)"),
            Flag::typed("health-on-failure", "action", check_on_failure, "What to do when it becomes unhealthy (none, kill, restart, stop)"),
            Flag::int("health-retries", "Failures in a row that make it unhealthy"),
            Flag::typed("health-start-interval", "duration", check_duration, "Time between checks while it starts (ms|s|m|h)"),
            Flag::typed("health-start-period", "duration", check_duration, "Time in which failures do not count (ms|s|m|h)"),
            Flag::typed("health-timeout", "duration", check_duration, "Time for one check (ms|s|m|h)"),
            Flag::text("hostname", "Host name").short('h'),
            Flag::switch("init", "A small init as process 1"),
            Flag::switch("interactive", "Keep standard input open").short('i'),
            Flag::typed("io-maxbandwidth", "bytes", |v| size::parse(v).map(drop), "IO limit (Windows only)").hidden(),
            Flag::typed("io-maxiops", "uint", |v| number::parse_uint(v, 64).map(drop), "IO limit (Windows only)").hidden(),
            Flag::text("ip", "IPv4 address"),
            Flag::text("ip6", "IPv6 address"),
            Flag::text("ipc", "IPC namespace"),
            Flag::text("isolation", "Isolation technology (Windows only)").hidden(),
            Flag::typed("kernel-memory", "bytes", |v| size::parse(v).map(drop), "Kernel memory limit").hidden(),
            Flag::list("label", "Label").short('l').checked(env::check_label),
            Flag::list("label-file", "File of labels"),
            Flag::list("link", "Link to another container"),
            Flag::list("link-local-ip", "Link-local address"),
            Flag::text("log-driver", "Log driver"),
            Flag::list("log-opt", "Option of the log driver"),
            Flag::text("mac-address", "MAC address (92:d0:c6:0a:29:33)"),
            Flag::typed("memory", "bytes", |v| size::parse(v).map(drop), "Memory limit").short('m'),
            Flag::typed("memory-reservation", "bytes", |v| size::parse(v).map(drop), "Soft memory limit"),
            Flag::typed("memory-swap", "bytes", |v| size::parse_swap(v).map(drop), "Limit of memory and swap together ('-1': none for swap)"),
            Flag::int("memory-swappiness", "How readily memory is swapped (0 to 100)").default("-1"),
            Flag::typed("mount", "mount", |v| mount::parse(v).map(drop), "Mount a file system"),
            Flag::text("name", "Name"),
            Flag::typed("net", "network", |v| network::parse(v).map(drop), "Network").hidden(),
            Flag::list("net-alias", "Name within the network").hidden(),
            Flag::typed("network", "network", |v| network::parse(v).map(drop), "Network"),
            Flag::list("network-alias", "Name within the network"),
            Flag::switch("no-healthcheck", "No health check, whatever the image says"),
            Flag::switch("oom-kill-disable", "Do not kill it when memory runs out"),
            Flag::int("oom-score-adj", "How likely it is killed when memory runs out (-1000 to 1000)"),
            Flag::text("pid", "PID namespace"),
            Flag::int("pids-limit", "Limit of processes (-1: none)"),
            Flag::text("platform", "Platform of the image"),
            Flag::switch("privileged", "Every privilege there is"),
            Flag::list("publish", "Publish a port on the host").short('p'),
            Flag::switch("publish-all", "Publish every exposed port on any port of the host").short('P'),
            Flag::text("pull", "Pull the image before (always, missing, never)").default("\"missing\""),
            Flag::switch("quiet", "Do not show the pull").short('q'),
            Flag::switch("read-only", "Root file system read-only"),
            Flag::text("restart", "What to do when it exits").default("\"no\""),
            Flag::switch("rm", "Remove it with its anonymous volumes when it exits"),
            Flag::text("runtime", "OCI runtime"),
            Flag::list("security-opt", "Security option"),
            Flag::typed("shm-size", "bytes", |v| size::parse(v).map(drop), "Size of /dev/shm"),
            Flag::text("stop-signal", "Signal that stops it"),
            Flag::int("stop-timeout", "Seconds until stop kills it"),
            Flag::list("storage-opt", "Option of the storage driver"),
            Flag::typed("sysctl", "map", check_sysctl, "Kernel parameter"),
            Flag::list("tmpfs", "Mount a tmpfs"),
            Flag::switch("tty", "A pseudo-terminal").short('t'),
            Flag::typed("ulimit", "ulimit", |v| ulimit::parse(v).map(drop), "Resource limit"),
            Flag::switch("use-api-socket", "Give it the daemon's socket"),
            Flag::text("user", "User and group (<name|uid>[:<group|gid>])").short('u'),
            Flag::text("userns", "User namespace"),
            Flag::text("uts", "UTS namespace"),
            Flag::list("volume", "Mount a directory or volume").short('v'),
            Flag::text("volume-driver", "Driver of its volumes"),
            Flag::list("volumes-from", "Mount what another container mounts"),
            Flag::text("workdir", "Working directory").short('w'),
        ];
    };
}

flags!(CREATE,);
flags!(
    RUN,
    Flag::switch("detach", "In the background: print the id and return").short('d'),
    Flag::text("detach-keys", "Keys that detach"),
    Flag::switch("sig-proxy", "Pass signals on to the process").default("true"),
);

fn ok(_: &str) -> Result<(), String> {
    Ok(())
}

fn check_stream(text: &str) -> Result<(), String> {
    match text.to_ascii_lowercase().as_str() {
        "stdin" | "stdout" | "stderr" => Ok(()),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".to_owned()),
    }
}

fn check_on_failure(text: &str) -> Result<(), String> {
    match text {
        "none" | "kill" | "restart" | "stop" => Ok(()),
        _ => Err("must be none, kill, restart or stop".to_owned()),
    }
}

fn check_duration(text: &str) -> Result<(), String> {
    duration::parse(text).map(drop)
}

/// Only parameters that belong to a container's own namespaces.
fn check_sysctl(text: &str) -> Result<(), String> {
    const OF_IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];
    let own = |name: &str| {
        name.starts_with("net.")
            || name.starts_with("fs.mqueue.")
            || name.strip_prefix("kernel.").is_some_and(|rest| OF_IPC.contains(&rest))
    };
    match text.split_once('=') {
        Some((name, _)) if own(name) => Ok(()),
        _ => Err(format!("sysctl '{text}' is not allowed")),
    }
}
