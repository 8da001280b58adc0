//! What a container is: its own pids, names, network and users on the host's kernel; limits; OCI's formats.

use crate::host::{BERTH, Cli, Host};
use crate::registry;

rows![
    a012_own_namespaces,
    a012_hidden_and_readonly_paths,
    a013_memory_limit,
    a014_starts_many,
    a016_linux_images_only,
    a136_files_from_the_host,
    a137_copy_on_write,
];

fn a012_own_namespaces(host: &Host) {
    let image = host.image();
    let out = host.run(&["run", "--rm", &image, "sh", "-c", "echo $$; hostname; id -u; ls /sys/class/net"]);
    let lines: Vec<&str> = out.lines().collect();
    let [pid, hostname, user, links @ ..] = lines.as_slice() else { panic!("{out}") };
    assert_eq!((*pid, *user), ("1", "0"));
    assert!(hostname.len() == 12 && hostname.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hostname}");
    assert_eq!(links, ["eth0", "lo"]);
    let none = host.run(&["run", "--rm", "--network", "none", &image, "ls", "/sys/class/net"]);
    assert_eq!(none, "lo");
    let shared = host.run(&["run", "--rm", "--network", "host", &image, "readlink", "/proc/self/ns/net"]);
    assert_eq!(shared, std::fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap());
}

fn a012_hidden_and_readonly_paths(host: &Host) {
    let image = host.image();
    let script = "cat /proc/timer_list /proc/keys | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | wc -l; \
                  touch /sys/x 2>&1; echo 1 2>&1 > /proc/sys/kernel/panic; df -k /dev/shm | tail -n1";
    let out = host.try_run(&["run", "--rm", &image, "sh", "-c", script]);
    let lines: Vec<&str> = out.out.lines().collect();
    assert_eq!(lines[0], "0", "{out:?}");
    assert!(out.out.contains("/sys/x: Read-only file system"), "{out:?}");
    assert!((out.err.clone() + &out.out).contains("/proc/sys/kernel/panic: Read-only file system"), "{out:?}");
    assert!(lines.last().unwrap().contains("65536"), "{out:?}");
}

fn a013_memory_limit(host: &Host) {
    let image = host.image();
    let script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes";
    assert_eq!(host.run(&["run", "--rm", "-m", "64m", &image, "sh", "-c", script]), "67108864");
    host.try_run(&["run", "--rm", "-m", "5m", &image, "true"]).fails_with(125, "Minimum memory limit allowed is 6MB");
    let name = host.name("oom");
    let eat = "head -c 100m /dev/zero | tail";
    host.try_run(&["run", "-m", "16m", "--memory-swap", "16m", "--name", &name, &image, "sh", "-c", eat]);
    let state = host.inspect(&name, "{{.State.OOMKilled}} {{.State.ExitCode}}");
    assert!(state.starts_with("true"), "{state}");
    host.run(&["rm", &name]);
}

/// The figures are the benchmark's; here, that forty starts from several clients all work.
fn a014_starts_many(host: &Host) {
    let image = host.image();
    std::thread::scope(|scope| {
        for client in 0..8 {
            let image = &image;
            scope.spawn(move || {
                for turn in 0..5 {
                    let text = format!("{client}/{turn}");
                    assert_eq!(host.run(&["run", "--rm", image, "echo", &text]), text);
                }
            });
        }
    });
}

fn a016_linux_images_only(host: &Host) {
    let reference = registry::reference("win-only");
    let done = host.try_run(&["pull", &reference]);
    done.fails_with(1, &format!("no matching manifest for linux/{}", berth_fixtures::host_architecture()));
}

fn a136_files_from_the_host(host: &Host) {
    let image = host.image();
    let count = "mount | grep -c -E '/etc/(hosts|hostname|resolv.conf)'";
    assert_eq!(host.run(&["run", "--rm", &image, "sh", "-c", count]), "3");
    let hosts = host.run(&["run", "--rm", "-h", "box", "--add-host", "other:10.9.8.7", &image, "cat", "/etc/hosts"]);
    assert!(hosts.contains("127.0.0.1\tlocalhost"), "{hosts}");
    assert!(hosts.contains("10.9.8.7\tother"), "{hosts}");
    assert!(hosts.lines().any(|line| line.ends_with("\tbox")), "{hosts}");
}

fn a137_copy_on_write(host: &Host) {
    let (image, name) = (host.image(), host.name("cow"));
    host.run(&["run", "--name", &name, &image, "sh", "-c", "echo changed > /etc/group; echo > /new"]);
    assert!(host.run(&["run", "--rm", &image, "cat", "/etc/group"]).contains("root:x:0:"));
    host.try_run(&["run", "--rm", &image, "ls", "/new"]).fails_with(1, "No such file or directory");
    host.run(&["rm", &name]);
}

/// The README's first command.
#[test]
fn hello() {
    let host = Host::start(Cli::Ours);
    let out = host.run(&["run", "--rm", "--memory", "64m", "berth/hello"]);
    assert!(out.contains("Hello from a container."), "{out}");
    let value = |name: &str| out.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(value("pid"), "1");
    assert_eq!(value("root"), "overlay, read-write");
    assert_eq!(value("memory limit"), "64 MiB");
    assert!(value("address").starts_with("10."), "{out}");
}

/// Under the name `docker`, the same program.
#[test]
fn named_docker() {
    let host = Host::start(Cli::Ours);
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("docker");
    std::os::unix::fs::symlink(BERTH, &link).unwrap();
    let output =
        std::process::Command::new(&link).args(["-H", host.address(), "run", "--nosuchflag", "x"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("Run 'docker run --help'"), "{text}");
}
