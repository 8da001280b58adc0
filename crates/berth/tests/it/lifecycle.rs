//! start, stop, kill, restart, pause, rm: what each does to a container, and what it says.

use std::time::{Duration, Instant};

use crate::host::{Host, until};

rows![
    a108_killed_from_inside,
    a109_shell_exit_stops,
    a110_stop_waits_then_kills,
    a111_exit_code_is_the_process_own,
    a112_stop_edges,
    a113_kill,
    a114_start_keeps_data,
    a115_rm,
    a116_rm_drops_the_layer,
    a117_restart,
    pause_and_unpause,
    a128_lists,
    wait_returns_the_code,
];

/// A shell that ends with `code` at SIGTERM, and has said that it is ready to.
fn trapping(host: &Host, code: i32) -> String {
    let (image, name) = (host.image(), host.name("trap"));
    let script = format!("trap 'exit {code}' TERM; echo ready; while :; do sleep 0.05; done");
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", &script]);
    until("the trap is set", || host.run(&["logs", &name]) == "ready");
    name
}

fn sleeping(host: &Host) -> String {
    let (image, name) = (host.image(), host.name("sleep"));
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "300"]);
    name
}

fn state(host: &Host, name: &str) -> String {
    host.inspect(name, "{{.State.Status}} {{.State.ExitCode}}")
}

fn a108_killed_from_inside(host: &Host) {
    let name = trapping(host, 0);
    // The shell may take this process along before it has an exit code.
    host.try_run(&["exec", &name, "kill", "-TERM", "1"]);
    until("it exits", || state(host, &name) == "exited 0");
    host.run(&["rm", &name]);
}

fn a109_shell_exit_stops(host: &Host) {
    let (image, name) = (host.image(), host.name("sh"));
    assert_eq!(host.run_with_input(&["run", "-i", "--name", &name, &image, "sh"], b"exit 4\n").code, 4);
    assert_eq!(state(host, &name), "exited 4");
    host.run(&["rm", &name]);
}

fn a110_stop_waits_then_kills(host: &Host) {
    let (deaf, polite) = (sleeping(host), trapping(host, 0));
    host.run(&["stop", &polite]);
    let began = Instant::now();
    assert_eq!(host.run(&["stop", &deaf]), deaf);
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((state(host, &polite).as_str(), state(host, &deaf).as_str()), ("exited 0", "exited 137"));
    host.run(&["rm", &deaf, &polite]);
}

fn a111_exit_code_is_the_process_own(host: &Host) {
    let polite = trapping(host, 3);
    host.run(&["stop", &polite]);
    assert_eq!(state(host, &polite), "exited 3");
    let image = host.image();
    let init = host.name("init");
    host.run(&["run", "-d", "--init", "--name", &init, &image, "sleep", "300"]);
    host.run(&["stop", &init]);
    assert_eq!(state(host, &init), "exited 143");
    host.run(&["rm", &polite, &init]);
}

fn a112_stop_edges(host: &Host) {
    let name = sleeping(host);
    host.run(&["stop", "-t", "0", &name]);
    assert_eq!(host.run(&["stop", &name]), name);
    host.try_run(&["stop", "nosuch"]).fails_with(1, "No such container: nosuch");
    let (image, signalled) = (host.image(), host.name("int"));
    let script = "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done";
    host.run(&["run", "-d", "--stop-signal", "SIGINT", "--name", &signalled, &image, "sh", "-c", script]);
    until("the trap is set", || host.run(&["logs", &signalled]) == "ready");
    host.run(&["stop", &signalled]);
    assert_eq!(state(host, &signalled), "exited 9");
    host.run(&["rm", &name, &signalled]);
}

fn a113_kill(host: &Host) {
    let name = sleeping(host);
    assert_eq!(host.run(&["kill", &name]), name);
    until("it exits", || state(host, &name) == "exited 137");
    let done = host.try_run(&["kill", &name]);
    let id = host.inspect(&name, "{{.Id}}");
    done.fails_with(1, &format!("Cannot kill container: {name}: Container {id} is not running"));
    let (image, user) = (host.image(), host.name("usr1"));
    let script = "trap 'echo got' USR1; echo ready; while :; do sleep 0.05; done";
    host.run(&["run", "-d", "--name", &user, &image, "sh", "-c", script]);
    until("the trap is set", || host.run(&["logs", &user]) == "ready");
    host.run(&["kill", "-s", "USR1", &user]);
    until("the signal arrives", || host.run(&["logs", &user]) == "ready\ngot");
    host.run(&["rm", "-f", &name, &user]);
}

fn a114_start_keeps_data(host: &Host) {
    let (image, name) = (host.image(), host.name("data"));
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", "touch /f; sleep 300"]);
    until("the file is there", || host.try_run(&["exec", &name, "ls", "/f"]).ok());
    host.run(&["stop", "-t", "0", &name]);
    host.run(&["start", &name]);
    assert_eq!(host.run(&["exec", &name, "ls", "/f"]), "/f");
    host.run(&["rm", "-f", &name]);
    let (image, attached) = (host.image(), host.name("attached"));
    host.run(&["create", "-i", "--name", &attached, &image, "cat"]);
    let done = host.run_with_input(&["start", "-a", "-i", &attached], b"through\n");
    assert_eq!((done.code, done.out.as_str()), (0, "through"), "{}", done.err);
    host.run(&["rm", &attached]);
}

fn a115_rm(host: &Host) {
    let name = sleeping(host);
    let id = host.inspect(&name, "{{.Id}}");
    let done = host.try_run(&["rm", &name]);
    assert!(done.code == 1 && done.err.contains(&id) || done.err.contains(&name), "{}", done.err);
    assert!(done.err.contains("force remove"), "{}", done.err);
    host.run(&["rm", "-f", &name]);
    host.try_run(&["inspect", &name]).fails_with(1, "No such object");
    host.try_run(&["rm", "nosuch"]).fails_with(1, "No such container: nosuch");
}

fn a116_rm_drops_the_layer(host: &Host) {
    let (image, name) = (host.image(), host.name("layer"));
    host.run(&["run", "--name", &name, &image, "touch", "/f"]);
    host.run(&["rm", &name]);
    host.try_run(&["run", "--rm", "--name", &name, &image, "ls", "/f"]).fails_with(1, "No such file or directory");
}

fn a117_restart(host: &Host) {
    let name = sleeping(host);
    let before = host.inspect(&name, "{{.Id}} {{.State.StartedAt}}");
    host.run(&["restart", "-t", "0", &name]);
    let after = host.inspect(&name, "{{.Id}} {{.State.StartedAt}}");
    let split = |text: &str| text.split_once(' ').map(|(id, at)| (id.to_owned(), at.to_owned())).unwrap();
    assert_eq!(split(&before).0, split(&after).0);
    assert!(split(&after).1 > split(&before).1, "{before} then {after}");
    assert_eq!(state(host, &name), "running 0");
    host.run(&["rm", "-f", &name]);
}

fn pause_and_unpause(host: &Host) {
    let (image, name) = (host.image(), host.name("pause"));
    let script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    host.run(&["pause", &name]);
    assert_eq!(host.inspect(&name, "{{.State.Status}} {{.State.Paused}}"), "paused true");
    host.try_run(&["pause", &name]).fails_with(1, "is already paused");
    host.try_run(&["exec", &name, "true"])
        .fails_with(1, &format!("Container {name} is paused, unpause the container before exec"));
    // What was on its way when it froze may still arrive; then nothing new does.
    let mut first = host.run(&["logs", &name]);
    until("it stands still", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = host.run(&["logs", &name]);
        std::mem::replace(&mut first, now.clone()) == now
    });
    host.run(&["unpause", &name]);
    until("it goes on", || host.run(&["logs", &name]).len() > first.len());
    host.run(&["pause", &name]);
    host.run(&["kill", &name]);
    until("a paused container can be killed", || state(host, &name) == "exited 137");
    host.run(&["rm", &name]);
}

fn a128_lists(host: &Host) {
    let name = sleeping(host);
    let filter = format!("name={name}");
    let listed = host.run(&["ps", "--filter", &filter, "--format", "{{.Names}}|{{.Image}}|{{.Command}}|{{.State}}"]);
    assert_eq!(listed, format!("{name}|{}|\"sleep 300\"|running", host.image()));
    let table = host.run(&["ps", "--filter", &filter]);
    assert!(table.starts_with("CONTAINER ID   IMAGE"), "{table}");
    assert!(table.lines().nth(1).unwrap().contains("Up "), "{table}");
    host.run(&["kill", &name]);
    until("it is gone from ps", || host.run(&["ps", "-q", "--filter", &filter]).is_empty());
    let status = host.run(&["ps", "-a", "--filter", &filter, "--format", "{{.Status}}"]);
    assert!(status.starts_with("Exited (137) "), "{status}");
    host.run(&["rm", &name]);
}

fn wait_returns_the_code(host: &Host) {
    let (image, name) = (host.image(), host.name("wait"));
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", "sleep 0.5; exit 6"]);
    assert_eq!(host.run(&["wait", &name]), "6");
    assert_eq!(host.run(&["wait", &name]), "6");
    host.run(&["rm", &name]);
}
