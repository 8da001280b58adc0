//! What a container uses, its processes, and changing its limits: `stats`, `top`, `update`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use crate::host::{Host, until};
use crate::resources::{has_controller, is_v2};

rows![
    a133_top,
    a133_top_of_what_does_not_run,
    stats_once,
    stats_of_what_comes_and_goes,
    update_changes_limits_while_it_runs,
    update_changes_what_does_not_run,
    update_refuses_what_cannot_be,
    update_changes_the_policy,
    update_leaves_what_cannot_change,
];

fn running(host: &Host, options: &[&str], command: &[&str]) -> String {
    let (image, name) = (host.image(), host.name("used"));
    host.run(&[&["run", "-d", "--name", &name], options, &[&image], command].concat());
    name
}

fn sleeping(host: &Host, options: &[&str]) -> String {
    running(host, options, &["sleep", "300"])
}

/// A file of the container's memory, cpu or pids controller, by its name on cgroup v1 and on v2.
fn limit(host: &Host, name: &str, v1: &str, v2: &str) -> String {
    let script = format!("cat /sys/fs/cgroup/{v1} 2>/dev/null || cat /sys/fs/cgroup/{v2}");
    host.run(&["exec", name, "sh", "-c", &script])
}

fn memory(host: &Host, name: &str) -> String {
    limit(host, name, "memory/memory.limit_in_bytes", "memory.max")
}

fn a133_top(host: &Host) {
    let name = running(host, &[], &["sh", "-c", "sleep 300 & exec sleep 301"]);
    until("both run", || host.run(&["top", &name, "-o", "pid,comm"]).matches("sleep").count() == 2);
    let table = host.run(&["top", &name]);
    let mut lines = table.lines();
    let heading: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    let (pid, first) = (host.inspect(&name, "{{.State.Pid}}"), lines.next().unwrap());
    let cells: Vec<&str> = first.split_whitespace().collect();
    assert_eq!((cells[0], cells[1], cells[5], cells[6]), ("root", pid.as_str(), "?", "00:00:00"), "{table}");
    assert!(first.trim_end().ends_with("sleep 301") && lines.next().unwrap().trim_end().ends_with("sleep 300"));
    let short = host.run(&["top", &name, "-o", "pid,comm"]);
    let rows: Vec<Vec<&str>> = short.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[..2], [vec!["PID", "COMMAND"], vec![pid.as_str(), "sleep"]]);
    assert!(host.run(&["top", &name, "aux"]).lines().nth(1).unwrap().starts_with("root "));
    host.try_run(&["top", &name, "-o", "comm"]).fails_with(1, "Couldn't find PID field in ps output");
    // Only ps itself knows these.
    let long = host.run(&["top", &name, "-l"]);
    assert!(long.lines().next().unwrap().contains("WCHAN") && long.contains(&pid), "{long}");
    assert!(!host.try_run(&["top", &name, "--nosuch"]).ok());
    // A user that only the container knows is a number to the host.
    let other = sleeping(host, &["-u", "54321"]);
    assert!(host.run(&["top", &other, "-o", "user,pid"]).contains("54321"));
}

fn a133_top_of_what_does_not_run(host: &Host) {
    let name = sleeping(host, &[]);
    host.run(&["stop", "-t", "0", &name]);
    let id = host.inspect(&name, "{{.Id}}");
    let refused = host.try_run(&["top", &name]);
    assert!(refused.code == 1 && refused.err.to_lowercase().contains(&format!("container {id} is not running")));
    host.try_run(&["top", "nosuch"]).fails_with(1, "No such container: nosuch");
}

fn stats_once(host: &Host) {
    let busy = running(host, &["-m", "64m", "--pids-limit", "77"], &["sh", "-c", "while :; do :; done"]);
    let table = host.run(&["stats", "--no-stream", &busy]);
    let heading: Vec<&str> =
        table.lines().next().unwrap().split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
    let expected = ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"];
    assert_eq!(heading, expected);
    let one = |format: &str| host.run(&["stats", "--no-stream", "--format", format, &busy]);
    let share: f64 = one("{{.CPUPerc}}").trim_end_matches('%').parse().unwrap();
    // Of a machine that others use too.
    assert!((1.0..1000.0).contains(&share), "{share}");
    let id = host.inspect(&busy, "{{.Id}}");
    assert_eq!(one("{{.ID}} {{.Name}} {{.PIDs}} {{.Container}}"), format!("{} {busy} 1 {busy}", &id[..12]));
    assert!(one("{{.MemUsage}}").ends_with("iB / 64MiB"), "{}", one("{{.MemUsage}}"));
    let json = one("json");
    for field in ["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"] {
        assert!(json.contains(&format!("\"{field}\":")), "{field} is missing in {json}");
    }
    let full = host.run(&["stats", "--no-stream", "--no-trunc", "--format", "{{.ID}}", &busy]);
    assert_eq!(full, id);
    // All that run, and with -a all there are.
    let idle = sleeping(host, &[]);
    host.run(&["stop", "-t", "0", &idle]);
    let names =
        |flag: &[&str]| host.run(&[&["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}"], flag].concat());
    let running = names(&[]);
    assert!(running.contains(&format!("{busy} 1")) && !running.contains(&idle), "{running}");
    assert!(names(&["-a"]).contains(&format!("{idle} 0")), "{}", names(&["-a"]));
    host.try_run(&["stats", "--no-stream", "nosuch"]).fails_with(1, "No such container: nosuch");
}

fn stats_of_what_comes_and_goes(host: &Host) {
    let mut command = host.command();
    command.args(["stats", "--format", "{{.Name}} {{.PIDs}}"]).stdout(Stdio::piped());
    let mut stats = command.spawn().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(stats.stdout.take().unwrap());
    let reader =
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    let seen = |what: &str| until(what, || lines.try_iter().any(|line| line.contains(what)));
    let first = sleeping(host, &[]);
    seen(&format!("{first} 1"));
    let second = sleeping(host, &[]);
    seen(&format!("{second} 1"));
    host.run(&["rm", "-f", &first]);
    // It may stand in pictures that are on their way.
    until("the first is gone", || {
        std::thread::sleep(Duration::from_millis(700));
        let now: Vec<String> = lines.try_iter().collect();
        !now.iter().any(|line| line.contains(&first)) && now.iter().any(|line| line.contains(&second))
    });
    stats.kill().unwrap();
    stats.wait().unwrap();
    reader.join().unwrap();
}

fn update_changes_limits_while_it_runs(host: &Host) {
    let name = sleeping(host, &["-m", "64m"]);
    assert_eq!(memory(host, &name), (64 << 20).to_string());
    assert_eq!(host.run(&["update", "-m", "32m", "--memory-swap", "64m", "--cpu-shares", "512", &name]), name);
    assert_eq!(memory(host, &name), (32 << 20).to_string());
    let shown = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.CpuShares}}";
    assert_eq!(host.inspect(&name, shown), format!("{} {} 512", 32 << 20, 64 << 20));
    host.run(&["update", "--pids-limit", "50", "--cpu-quota", "50000", &name]);
    assert_eq!(limit(host, &name, "pids/pids.max", "pids.max"), "50");
    assert!(limit(host, &name, "cpu/cpu.cfs_quota_us", "cpu.max").starts_with("50000"));
    assert_eq!(memory(host, &name), (32 << 20).to_string());
    host.run(&["update", "--pids-limit", "-1", &name]);
    assert_eq!(limit(host, &name, "pids/pids.max", "pids.max"), "max");
    // The next start takes them too.
    host.run(&["restart", "-t", "0", &name]);
    assert_eq!(memory(host, &name), (32 << 20).to_string());
    let past = ["events", "--since", "1h", "--until", "0s", "--filter", "event=update", "--format", "{{.Actor.ID}}"];
    // Docker's command line makes whole seconds of a duration.
    until("its update is told", || host.run(&past).contains(&host.inspect(&name, "{{.Id}}")));
}

fn update_changes_what_does_not_run(host: &Host) {
    let (image, name) = (host.image(), host.name("later"));
    host.run(&["create", "--name", &name, "-m", "64m", &image, "sleep", "300"]);
    host.run(&["update", "-m", "48m", &name]);
    host.run(&["start", &name]);
    assert_eq!(memory(host, &name), (48 << 20).to_string());
}

fn update_refuses_what_cannot_be(host: &Host) {
    let name = sleeping(host, &["-m", "64m", "--cpus", "0.5"]);
    let update = |flags: &[&str]| host.try_run(&[&["update"], flags, &[&name]].concat());
    update(&["-m", "5m"]).fails_with(1, "Minimum memory limit allowed is 6MB");
    update(&["-m", "1g"]).fails_with(1, "Memory limit should be smaller than already set memoryswap limit");
    update(&["--cpu-quota", "5000"]).fails_with(1, "CPU Quota cannot be updated as NanoCPUs has already been set");
    match has_controller("cpuset") {
        true => update(&["--cpuset-cpus", "4000"]).fails_with(1, "Requested CPUs are not available"),
        false => {
            // Docker's command line takes warnings for output.
            let done = update(&["--cpuset-cpus", "4000"]);
            assert!(done.ok() && [done.out, done.err].concat().contains("Cpuset discarded"));
        }
    }
    assert!(!update(&[]).ok());
    // Nothing of it has happened.
    assert_eq!(memory(host, &name), (64 << 20).to_string());
    assert_eq!(host.inspect(&name, "{{.HostConfig.Memory}} {{.HostConfig.CpuQuota}}"), format!("{} 0", 64 << 20));
    let both = host.try_run(&["update", "--cpu-shares", "600", "nosuch", &name]);
    both.fails_with(1, "No such container: nosuch");
    assert_eq!((both.out, host.inspect(&name, "{{.HostConfig.CpuShares}}")), (name, "600".to_owned()));
}

fn update_changes_the_policy(host: &Host) {
    // It ends when it is told to: on a slow machine an update takes longer than any nap.
    let name = running(host, &[], &["sh", "-c", "until [ -e /end ]; do sleep 0.1; done; exit 3"]);
    host.run(&["update", "--restart", "on-failure:2", &name]);
    let policy = "{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}";
    assert_eq!(host.inspect(&name, policy), "on-failure:2");
    host.run(&["exec", &name, "touch", "/end"]);
    until("it has been restarted twice", || host.inspect(&name, "{{.RestartCount}} {{.State.Status}}") == "2 exited");
    let temporary = sleeping(host, &["--rm"]);
    host.try_run(&["update", "--restart", "always", &temporary])
        .fails_with(1, "Restart policy cannot be updated because AutoRemove is enabled for the container");
    host.try_run(&["update", "--restart", "bogus", &name]).fails_with(1, "invalid restart policy");
    host.run(&["rm", "-f", &temporary]);
}

/// Docker's API takes fields that are fixed once a container is made, and leaves them; berth says so.
fn update_leaves_what_cannot_change(host: &Host) {
    let name = sleeping(host, &["-m", "64m"]);
    let update = |body: &str| {
        let socket = host.address().strip_prefix("unix://").unwrap();
        let mut stream = UnixStream::connect(socket).unwrap();
        let head = format!("POST /v1.41/containers/{name}/update HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let length = body.len();
        write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = update(r#"{"Ulimits":[{"Name":"nofile","Soft":10,"Hard":20}],"CgroupParent":"x","CpuShares":600}"#);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for field in ["Ulimits", "CgroupParent"] {
        let told = answer.contains(&format!("{field} cannot be changed once a container is made"));
        assert_eq!(told, host.is_berth(), "{field}: {answer}");
    }
    let shown = "{{.HostConfig.Ulimits}} {{.HostConfig.CgroupParent}} {{.HostConfig.CpuShares}}";
    assert_eq!(host.inspect(&name, shown), "[]  600");
    let answer = update(r#"{"MemorySwappiness":500}"#);
    let text = match is_v2() {
        true => "Memory swappiness discarded.",
        false => "Invalid value: 500, valid memory swappiness range is 0-100",
    };
    assert!(answer.contains(text), "{answer}");
}
