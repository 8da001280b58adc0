//! Containers that want out, or want to take their keepers down.

use crate::host::{BERTH, Cli, Host, until};

rows![one_process, out_of_memory, only_standard_streams, links_out_of_the_root];

/// `--pids-limit 1` leaves room for init alone; whoever keeps the container is not counted.
fn one_process(host: &Host) {
    let (image, name) = (host.image(), host.name("one"));
    host.run(&["run", "--rm", "--pids-limit", "1", &image, "true"]);
    let script = "echo before; sleep 1 & wait; echo after";
    let done = host.try_run(&["run", "--name", &name, "--pids-limit", "1", &image, "sh", "-c", script]);
    assert!(done.code != 0 && done.err.contains("can't fork"), "{done:?}");
    assert_eq!(host.try_run(&["logs", &name]).out, "before");
    host.run(&["rm", &name]);
}

fn out_of_memory(host: &Host) {
    let (image, name) = (host.image(), host.name("oom"));
    let script = "echo before; head -c 200m /dev/zero | tail; echo survived; sleep 0.2; exit 3";
    let limits = ["--memory", "16m", "--memory-swap", "16m"];
    let args = [&["run", "-d", "--name", &name], &limits[..], &[&image, "sh", "-c", script]].concat();
    host.run(&args);
    let code = host.run(&["wait", &name]);
    assert!(code == "3" || code == "137", "{code}");
    assert!(host.try_run(&["logs", &name]).out.starts_with("before"));
    assert_eq!(host.inspect(&name, "{{.State.OOMKilled}}"), "true");
    host.run(&["rm", &name]);
}

fn only_standard_streams(host: &Host) {
    let image = host.image();
    // `ls` itself opens the directory that it lists.
    assert_eq!(host.run(&["run", "--rm", &image, "ls", "/proc/self/fd"]), "0\n1\n2\n3");
    let name = host.name("box");
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "60"]);
    assert_eq!(host.run(&["exec", &name, "ls", "/proc/self/fd"]), "0\n1\n2\n3");
    assert_eq!(host.run(&["exec", &name, "ls", "/proc/1/fd"]), "0\n1\n2");
    host.run(&["rm", "-f", &name]);
}

/// A container whose directories are links to the host's: mounts must land inside.
fn links_out_of_the_root(host: &Host) {
    let (image, name) = (host.image(), host.name("links"));
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().to_str().unwrap();
    let script = format!("rmdir /tmp 2>/dev/null; ln -sfn /../../../..{path} /tmp; ln -sfn {path} /data");
    host.run(&["run", "--name", &name, "--tmpfs", "/data/below", &image, "sh", "-c", &script]);
    host.run(&["start", "-a", &name]);
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none(), "something was written outside");
    host.run(&["rm", &name]);
}

fn program() -> Vec<u8> {
    std::fs::read(BERTH).unwrap()
}

/// An image that asks to run whatever runs it.
#[test]
fn entrypoint_is_our_own_program() {
    let host = Host::start(Cli::Ours);
    let (image, before) = (host.fixture("selfexe"), program());
    let done = host.try_run(&["run", "--rm", &image, "--version"]);
    assert!(!done.out.contains("root:") && !done.err.contains("panicked"), "{done:?}");
    let script = "for i in 1 2 3; do (exec 3>>/proc/1/exe) 2>&1; (exec 3>>/proc/self/exe) 2>&1; done";
    host.try_run(&["run", "--rm", &host.image(), "sh", "-c", script]);
    assert!(program() == before, "the program changed");
}

/// CVE-2019-5736 and its kin: whoever enters a hostile container must not be writable from within.
#[test]
fn exec_into_a_hostile_container() {
    let host = Host::start(Cli::Ours);
    let (image, name, before) = (host.image(), host.name("hostile"), program());
    let script = "printf '#!/proc/self/exe\\n' > /bin/trap; chmod 755 /bin/trap; echo ready; \
                  while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || [ $p = /proc/$$ ] || \
                  (echo hit >> $p/exe) 2>/dev/null; done; done";
    host.run(&["run", "-d", "--name", &name, &image, "sh", "-c", script]);
    until("the trap is laid", || host.run(&["logs", &name]) == "ready");
    for _ in 0..20 {
        host.try_run(&["exec", &name, "/bin/trap"]);
        host.try_run(&["exec", &name, "/proc/self/exe", "--version"]);
    }
    assert!(program() == before, "the program changed");
    host.run(&["rm", "-f", &name]);
}
