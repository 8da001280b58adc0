//! Where no daemon listens and none is named, the command line starts one.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::host::{BERTH, Done, until};
use crate::leftovers;
use crate::namespaces::Namespaces;

/// A host where nothing of ours has ever run.
fn fresh_host() -> Namespaces {
    let host = Namespaces::new(&["--mount", "--net"]);
    host.sh("for place in /run /var/lib /var/log; do mount -t tmpfs tmpfs $place; done; ip link set lo up");
    host
}

fn hello(host: &Namespaces) -> Command {
    let mut command = host.command(BERTH);
    command.args(["run", "--rm", "berth/hello"]).stdin(Stdio::null());
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn five_at_once_start_one_daemon() {
    let host = fresh_host();
    let runs: Vec<Done> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..5).map(|_| scope.spawn(|| Done::from(hello(&host).output().unwrap()))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let mut said = 0;
    for run in &runs {
        assert!(run.ok() && run.out.contains("Hello from a container."), "{run:?}");
        said += run.err.matches("berth: no daemon was running; started one (its log: /var/log/berth.log)").count();
    }
    assert_eq!(said, 1, "{runs:?}");

    until("only the daemon still runs", || host.processes().values().all(|line| line == "berth daemon "));
    let daemons: Vec<u32> = host.processes().into_keys().collect();
    let pidfile = fs::read_to_string(host.proc("root/run/berth/berth.pid")).unwrap();
    assert_eq!(daemons, [pidfile.trim().parse::<u32>().unwrap()]);

    kill_process(Pid::from_raw(daemons[0].cast_signed()).unwrap(), Signal::TERM).unwrap();
    until("the daemon ends", || host.processes().is_empty());
    // Other tests' mounts come and go here too, by propagation.
    let mounts = fs::read_to_string(host.proc("mounts")).unwrap();
    let ours = |line: &&str| line.contains("/var/lib/berth/") || line.contains("/run/berth/");
    assert_eq!(mounts.lines().filter(ours).collect::<Vec<_>>(), Vec::<&str>::new());
    // The kernel takes a dead namespace's links down when it comes to it.
    until("no link but the loopback device is left", || host.sh("ip -o link | wc -l") == "1");
    for run in &runs {
        let hostname = run.out.lines().find_map(|line| line.trim().strip_prefix("hostname")).unwrap().trim();
        assert_eq!(hostname.len(), 12, "{}", run.out);
        leftovers::assert_no_cgroup(hostname);
    }
}
