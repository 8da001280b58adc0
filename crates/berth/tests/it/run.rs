//! `run`: images found by themselves, exit codes, terminals, names, entrypoints.

use crate::host::{Cli, Host};
use crate::registry;
use crate::terminal::Terminal;

rows![
    a100_pulls_what_is_missing,
    a101_exit_codes,
    a102_terminal,
    a102_no_terminal,
    a103_removes_itself,
    a104_detached_prints_the_id,
    a105_names,
    a106_command_and_arguments,
    a107_entrypoint,
    environment,
    working_directory,
    limits,
    users,
    mounts,
    privileges,
];

fn a100_pulls_what_is_missing(host: &Host) {
    let reference = registry::reference("team/app:v2");
    drop(host.try_run(&["rmi", "-f", &reference]));
    let done = host.try_run(&["run", "--rm", &reference, "cat", "/version"]);
    assert!(done.ok(), "{}", done.err);
    assert_eq!(done.out, "two");
    assert!(done.err.contains(&format!("Unable to find image '{reference}' locally")), "{}", done.err);
    assert!(done.err.contains("v2: Pulling from team/app"), "{}", done.err);
    assert!(done.err.contains("Status: Downloaded newer image for"), "{}", done.err);

    let missing = registry::reference("nosuch:1");
    let done = host.try_run(&["run", "--rm", &missing]);
    done.fails_with(125, &format!("Unable to find image '{missing}' locally"));
    done.fails_with(125, "not found");
}

fn a101_exit_codes(host: &Host) {
    let image = host.image();
    assert_eq!(host.try_run(&["run", "--rm", &image, "sh", "-c", "exit 7"]).code, 7);
    host.try_run(&["run", "--nosuchflag", &image]).fails_with(125, "unknown flag: --nosuchflag");
    host.try_run(&["run", "--rm", &image, "/etc/passwd"]).fails_with(126, "permission denied");
    host.try_run(&["run", "--rm", &image, "nosuchcmd"]).fails_with(127, "executable file not found in $PATH");
    host.try_run(&["run", "--rm", &image, "/no/such/file"]).fails_with(127, "no such file or directory");
    host.try_run(&["run", "--it", &image]).fails_with(125, "unknown flag: --it");
}

fn a102_terminal(host: &Host) {
    let image = host.image();
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["run", "-it", "--rm", &image, "sh"]));
    terminal.shows("#");
    terminal.type_in("tty; stty size\n");
    terminal.shows("/dev/pts/0");
    terminal.shows("24 80");
    terminal.resize(33, 101);
    terminal.type_in("until stty size | grep '^33 101$'; do sleep 0.1; done; echo it is $((3*11)) high\n");
    terminal.shows("it is 33 high");
    terminal.type_in("exit 4\n");
    assert_eq!(terminal.ends(), 4);
}

fn a102_no_terminal(host: &Host) {
    let image = host.image();
    host.try_run(&["run", "-it", "--rm", &image, "sh"]).fails_with(1, "the input device is not a TTY");
    let done = host.run_with_input(&["run", "-i", "--rm", &image, "cat"], b"bytes \x00\xff\n");
    assert_eq!((done.code, done.out.as_str()), (0, "bytes \0\u{fffd}"));
    let done = host.try_run(&["run", "--rm", &image, "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out", "err\n"));
}

fn a103_removes_itself(host: &Host) {
    let (image, name) = (host.image(), host.name("rm"));
    host.run(&["run", "--rm", "--name", &name, &image, "true"]);
    assert_eq!(host.run(&["ps", "-aq", "--filter", &format!("name={name}")]), "");
    let refusal = match host.cli() {
        Cli::Ours => "conflicting options: cannot specify both --restart and --rm",
        // Its versions word the rest in different ways.
        Cli::Docker => "--restart and --rm",
    };
    host.try_run(&["run", "--rm", "--restart", "always", &image, "true"]).fails_with(125, refusal);
}

fn a104_detached_prints_the_id(host: &Host) {
    let (image, name) = (host.image(), host.name("d"));
    let id = host.run(&["run", "-d", "--name", &name, &image, "sleep", "60"]);
    assert_eq!(id.len(), 64);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(host.inspect(&name, "{{.Id}}"), id);
    host.run(&["rm", "-f", &name]);
}

fn a105_names(host: &Host) {
    let (image, name) = (host.image(), host.name("name"));
    host.try_run(&["run", "--name", "bad name", &image])
        .fails_with(125, "Invalid container name (bad name), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
    let id = host.run(&["create", "--name", &name, &image, "true"]);
    let conflict = format!(
        "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
    );
    host.try_run(&["run", "--name", &name, &image]).fails_with(125, &conflict);
    host.run(&["rm", &name]);
    let unnamed = host.run(&["create", &image, "true"]);
    let given = host.inspect(&unnamed, "{{.Name}}");
    assert!(given.starts_with('/') && given.contains('_'), "{given}");
    host.run(&["rm", &given[1..]]);
}

fn a106_command_and_arguments(host: &Host) {
    let image = host.fixture("ftep");
    assert_eq!(host.run(&["run", "--rm", &image]), "ep d1 d2");
    assert_eq!(host.run(&["run", "--rm", &image, "o1"]), "ep o1");
}

fn a107_entrypoint(host: &Host) {
    let image = host.fixture("ftep");
    assert_eq!(host.run(&["run", "--rm", "--entrypoint", "ls", &image, "-d", "/bin"]), "/bin");
    assert_eq!(host.run(&["run", "--rm", "--entrypoint", "", &image, "echo", "x"]), "x");
    host.try_run(&["run", "--rm", "--entrypoint", "", &image]).fails_with(125, "o command specified");
}

fn environment(host: &Host) {
    let image = host.image();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# a comment\nFROM_FILE=a b\nPASSED\n").unwrap();
    let mut command = host.command();
    command.env("PASSED", "through").args(["run", "--rm", "-h", "box", "-e", "A=1", "-e", "PASSED"]);
    let output = command.args(["--env-file", file.path().to_str().unwrap(), &image, "env"]).output().unwrap();
    let mut lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(lines, ["A=1", "FROM_FILE=a b", "HOME=/root", "HOSTNAME=box", "PASSED=through", path]);
    assert_eq!(host.run(&["run", "--rm", "-u", "web", &image, "sh", "-c", "echo $HOME"]), "/home/web");
    let mut command = host.command();
    let terminal = Terminal::start(command.args(["run", "-t", "--rm", &image, "sh", "-c", "echo TERM=$TERM"]));
    terminal.shows("TERM=xterm");
    assert_eq!(terminal.ends(), 0);
}

fn working_directory(host: &Host) {
    let image = host.image();
    assert_eq!(host.run(&["run", "--rm", "-w", "/made/for/it", &image, "pwd"]), "/made/for/it");
    host.try_run(&["run", "--rm", "-w", "relative", &image, "pwd"])
        .fails_with(125, "the working directory 'relative' is invalid, it needs to be an absolute path");
}

fn limits(host: &Host) {
    let image = host.image();
    let script = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; \
                  cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us; ulimit -n";
    let flags = ["run", "--rm", "--pids-limit", "33", "--cpus", "0.5", "--ulimit", "nofile=99:100"];
    let out = host.run(&[&flags[..], &[&image, "sh", "-c", script]].concat());
    let lines: Vec<&str> = out.lines().collect();
    assert!(matches!(lines[..], ["33", "50000" | "50000 100000", "99"]), "{out}");
}

fn users(host: &Host) {
    let image = host.image();
    let id = |user: &str| host.run(&["run", "--rm", "-u", user, &image, "id"]);
    assert_eq!(id("web"), "uid=1000(web) gid=1000(web) groups=50(staff),1000(web)");
    assert_eq!(id("1000:0"), "uid=1000(web) gid=0(root) groups=0(root)");
    assert_eq!(id("web:staff"), "uid=1000(web) gid=50(staff) groups=50(staff)");
    assert_eq!(id("4711"), "uid=4711 gid=0(root) groups=0(root)");
    host.try_run(&["run", "--rm", "-u", "nosuch", &image, "id"])
        .fails_with(125, "unable to find user nosuch: no matching entries in passwd file");
}

fn mounts(host: &Host) {
    let image = host.image();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("made");
    let source = source.to_str().unwrap();
    host.run(&["run", "--rm", "-v", &format!("{source}:/data"), &image, "sh", "-c", "echo in > /data/file"]);
    assert_eq!(std::fs::read_to_string(format!("{source}/file")).unwrap(), "in\n");
    let readonly = format!("{source}:/data:ro");
    let done = host.try_run(&["run", "--rm", "-v", &readonly, &image, "touch", "/data/file"]);
    done.fails_with(1, "Read-only file system");
    let missing = format!("type=bind,source={source}/missing,target=/data");
    host.try_run(&["run", "--rm", "--mount", &missing, &image, "true"])
        .fails_with(125, "bind source path does not exist");
    let out = host.run(&["run", "--rm", "--mount", "type=tmpfs,target=/t,tmpfs-size=1m", &image, "df", "-k", "/t"]);
    assert!(out.contains("1024"), "{out}");
    let done = host.try_run(&["run", "--rm", "--read-only", &image, "touch", "/x"]);
    done.fails_with(1, "Read-only file system");
}

fn privileges(host: &Host) {
    let image = host.image();
    let caps = |flags: &[&str]| {
        let out = host.run(
            &[&["run", "--rm"], flags, &[&image, "grep", "-E", "CapEff|NoNewPrivs|Seccomp:", "/proc/self/status"]]
                .concat(),
        );
        out.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(caps(&[]), "CapEff: 00000000a80425fb NoNewPrivs: 0 Seccomp: 2");
    assert_eq!(
        caps(&["--cap-drop", "ALL", "--cap-add", "NET_RAW"]),
        "CapEff: 0000000000002000 NoNewPrivs: 0 Seccomp: 2"
    );
    let confined = caps(&["--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"]);
    assert_eq!(confined, "CapEff: 00000000a80425fb NoNewPrivs: 1 Seccomp: 0");
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    let bounding = own.lines().find_map(|line| line.strip_prefix("CapBnd:")).unwrap().trim();
    if host.is_berth() {
        assert_eq!(caps(&["--privileged"]), format!("CapEff: {bounding} NoNewPrivs: 0 Seccomp: 0"));
    }
}
