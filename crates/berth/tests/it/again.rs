//! `inspect --run`: the printed line, given to a shell, makes the same container again.

use std::process::Command;

use crate::host::{BERTH, Cli, Done, Host};

/// What must be the same. Addresses, ids and times are not.
const SAME: &str = "{{json .Config}}|{{json .HostConfig}}|{{.Path}} {{json .Args}}";

fn comparable(host: &Host, name: &str) -> String {
    let id = host.inspect(name, "{{.Id}}");
    host.inspect(name, SAME).replace(&id[..12], "<short id>")
}

#[test]
fn inspect_run_makes_it_again() {
    let host = Host::start(Cli::Ours);
    let (image, directory) = (host.image(), tempfile::tempdir().unwrap());
    let bind = format!("{}:/data:ro", directory.path().display());
    let name = host.name("again");
    for flags in [
        &["-d"][..],
        &["-it", "-h", "box", "-u", "1000:50", "-w", "/tmp", "-e", "A=it's \"quoted\" $HOME", "-l", "a=b c"],
        &["-d", "-v", &bind, "--tmpfs", "/t:size=1m", "--mount", "type=tmpfs,dst=/u,tmpfs-size=2m", "--read-only"],
        &["-d", "-m", "64m", "--cpus", "0.5", "--pids-limit", "50", "--ulimit", "nofile=10:20", "--shm-size", "1m"],
        &["-d", "--cap-add", "NET_ADMIN", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init"],
        &["-d", "--network", "none", "--dns", "1.1.1.1", "--add-host", "x:1.2.3.4", "--stop-signal", "INT"],
        &["-d", "--entrypoint", "sh", "--expose", "80", "--annotation", "x=y", "--stop-timeout", "3"],
    ] {
        let words: Vec<&str> = flags.iter().copied().filter(|flag| *flag != "-d").collect();
        host.run(&[&["create", "--name", &name], &words[..], &[&image, "-c", "true; echo 'x  y'"]].concat());
        let before = comparable(&host, &name);
        let line = host.run(&["inspect", "--run", &name]);
        assert!(line.starts_with(&format!("berth run --name {name} ")), "{line}");
        host.run(&["rm", &name]);
        // The line as it is, but for `create` instead of `run`: nothing is to be started here.
        let line = line.replacen("berth run ", &format!("{BERTH} create "), 1).replacen(" --detach ", " ", 1);
        let mut shell = Command::new("sh");
        let done = Done::from(shell.args(["-c", &line]).env("DOCKER_HOST", host.address()).output().unwrap());
        assert!(done.ok(), "{line}\n{}", done.err);
        assert_eq!(comparable(&host, &name), before, "{line}");
        host.run(&["rm", &name]);
    }
    host.try_run(&["inspect", "--run", "nosuch"]).fails_with(1, "No such container: nosuch");
}
