//! Contexts: both command lines on one configuration directory, each reading what the other wrote.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::host::{BERTH, Done, Host};

rows![context_reaches_the_daemon, context_lives, context_travels, ssh_reaches_the_daemon];

/// A command line with a configuration directory of its own and no daemon named.
fn bare(program: &str, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("DOCKER_CONFIG", config).env_remove("DOCKER_HOST").env_remove("DOCKER_CONTEXT").stdin(Stdio::null());
    command
}

fn run(host: &Host, config: &Path, args: &[&str]) -> Done {
    let mut command = host.command();
    Done::from(command.env("DOCKER_CONFIG", config).env_remove("DOCKER_HOST").args(args).output().unwrap())
}

/// The other command line than the host's.
fn other(host: &Host, config: &Path, args: &[&str]) -> Done {
    let program = if host.command().get_program() == BERTH { "docker" } else { BERTH };
    Done::from(bare(program, config).args(args).output().unwrap())
}

fn context_reaches_the_daemon(host: &Host) {
    let config = TempDir::new().unwrap();
    let id = host.run(&["info", "-f", "{{.ID}}"]);
    let endpoint = format!("host={}", host.address());
    let done = run(host, config.path(), &["context", "create", "there", "--docker", &endpoint]);
    assert!(done.ok() && done.out == "there", "{done:?}");
    assert!(done.err.contains("Successfully created context \"there\""), "{}", done.err);
    for ask in [&["--context", "there", "info", "-f", "{{.ID}}"][..], &["-c", "there", "info", "-f", "{{.ID}}"]] {
        assert_eq!(run(host, config.path(), ask).out, id);
        assert_eq!(other(host, config.path(), ask).out, id);
    }
    let mut named = host.command();
    named.env("DOCKER_CONFIG", config.path()).env_remove("DOCKER_HOST").env("DOCKER_CONTEXT", "there");
    assert_eq!(Done::from(named.args(["info", "-f", "{{.ID}}"]).output().unwrap()).out, id);

    let done = run(host, config.path(), &["context", "use", "there"]);
    assert_eq!(done.out, "there");
    assert!(done.err.contains("Current context is now \"there\""), "{}", done.err);
    assert_eq!(run(host, config.path(), &["info", "-f", "{{.ID}}"]).out, id);
    assert_eq!(other(host, config.path(), &["context", "show"]).out, "there");
    assert_eq!(other(host, config.path(), &["info", "-f", "{{.ID}}"]).out, id);
    let both = run(host, config.path(), &["--context", "there", "-H", host.address(), "ps"]);
    both.fails_with(1, "conflicting options: cannot specify both --host and --context");
    let missing = run(host, config.path(), &["--context", "nosuch", "ps"]);
    missing.fails_with(1, "unable to resolve docker endpoint: context \"nosuch\": context not found: open ");
}

fn context_lives(host: &Host) {
    let config = TempDir::new().unwrap();
    let config = config.path();
    std::fs::write(config.join("config.json"), r#"{"credsStore":"secretservice","auths":{"a":{}},"psFormat":"x"}"#)
        .unwrap();
    let describe = ["context", "create", "one", "--description", "some text", "--docker", "host=tcp://192.0.2.1:2375"];
    assert!(run(host, config, &describe).ok());
    run(host, config, &describe).fails_with(1, "context \"one\" already exists");
    run(host, config, &["context", "create", "x"])
        .fails_with(1, "context name \"x\" is invalid, names are validated against regexp");
    run(host, config, &["context", "create", "default"]).fails_with(1, "\"default\" is a reserved context name");
    run(host, config, &["context", "create", "two", "--docker", "foo=1"])
        .fails_with(1, "unable to create docker endpoint config: unrecognized config key: foo");
    run(host, config, &["context", "create", "two", "--docker", "host=tcp://x:1,ca=/nosuch"])
        .fails_with(1, "open /nosuch: no such file or directory");
    run(host, config, &["context", "create", "two", "--docker", "foo"])
        .fails_with(125, "foo must be formatted as key=value");
    assert!(run(host, config, &["context", "create", "copy", "--from", "one"]).ok());

    // Where nothing names a daemon, each command line has a usual socket of its own.
    let listed = |done: Done| {
        let lines = done.out.lines().filter(|line| !line.starts_with("default")).map(str::trim_end);
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let ours = listed(run(host, config, &["context", "ls"]));
    assert_eq!(ours[0], "NAME DESCRIPTION DOCKER ENDPOINT ERROR");
    assert!(ours.contains(&"one some text tcp://192.0.2.1:2375".to_owned()), "{ours:?}");
    assert_eq!(ours, listed(other(host, config, &["context", "ls"])));
    let inspected = run(host, config, &["context", "inspect", "one"]);
    assert_eq!(inspected.out, other(host, config, &["context", "inspect", "one"]).out);
    assert!(inspected.out.contains("\"Description\": \"some text\""), "{}", inspected.out);
    let template = ["context", "inspect", "copy", "-f", "{{.Name}} {{.Endpoints.docker.Host}}"];
    assert_eq!(run(host, config, &template).out, "copy tcp://192.0.2.1:2375");

    assert!(run(host, config, &["context", "update", "one", "--description", "new"]).ok());
    let updated = other(host, config, &["context", "inspect", "one"]).out;
    assert!(updated.contains("\"Description\": \"new\"") && updated.contains("tcp://192.0.2.1:2375"), "{updated}");
    run(host, config, &["context", "update", "nosuch"]).fails_with(1, "context \"nosuch\": context not found");

    assert!(run(host, config, &["context", "use", "one"]).ok());
    let text = std::fs::read_to_string(config.join("config.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["credsStore"], &json["currentContext"]), (&"secretservice".into(), &"one".into()));
    run(host, config, &["context", "use", "nosuch"]).fails_with(1, "context \"nosuch\": context not found");
    run(host, config, &["context", "rm", "one"])
        .fails_with(1, "context \"one\" is in use, set -f flag to force remove");
    run(host, config, &["context", "rm", "default"]).fails_with(1, "context \"default\" cannot be removed");
    run(host, config, &["context", "rm", "nosuch"]).fails_with(1, "context \"nosuch\" does not exist");
    let done = run(host, config, &["context", "rm", "-f", "one", "copy"]);
    assert_eq!((done.code, done.out.as_str()), (0, "one\ncopy"));
    assert_eq!(run(host, config, &["context", "show"]).out, "default");
    assert_eq!(other(host, config, &["context", "ls", "-q"]).out, "default");
    assert_eq!(std::fs::read_dir(config.join("contexts/meta")).unwrap().count(), 0);
}

fn context_travels(host: &Host) {
    let config = TempDir::new().unwrap();
    let config = config.path();
    let pem = |name: &str| {
        let path = config.join(name);
        (path.clone(), path.display().to_string())
    };
    let ((ca, ca_text), (key, key_text)) = (pem("ca"), pem("key"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"])
        .args(["-keyout", &key_text, "-out", &ca_text])
        .output()
        .unwrap();
    assert!(made.status.success());
    let endpoint = format!("host=tcp://192.0.2.1:2376,ca={ca_text},cert={ca_text},key={key_text}");
    assert!(run(host, config, &["context", "create", "far", "--docker", &endpoint]).ok());
    let archive = config.join("far.tar").display().to_string();
    let done = run(host, config, &["context", "export", "far", &archive]);
    assert!(done.err.contains(&format!("Written file \"{archive}\"")), "{}", done.err);
    run(host, config, &["context", "export", "far", &archive]).fails_with(1, "file exists");
    assert!(other(host, config, &["context", "import", "back", &archive]).ok());
    run(host, config, &["context", "import", "back", &archive]).fails_with(1, "context \"back\" already exists");
    let shown = run(host, config, &["context", "inspect", "back", "-f", "{{.TLSMaterial}} {{.Endpoints.docker.Host}}"]);
    assert_eq!(shown.out, "map[docker:[ca.pem cert.pem key.pem]] tcp://192.0.2.1:2376");
    let path = run(host, config, &["context", "inspect", "back", "-f", "{{.Storage.TLSPath}}"]).out;
    assert_eq!(std::fs::read(format!("{path}/docker/key.pem")).unwrap(), std::fs::read(&key).unwrap());
    let stream = run(host, config, &["context", "export", "back", "-"]);
    assert!(stream.out.starts_with("meta.json"), "{}", stream.out);
    drop(ca);
    assert!(!run(host, config, &["context", "import", "bad", "/etc/passwd"]).ok());
    assert!(run(host, config, &["context", "inspect", "bad"]).err.contains("context not found"));
}

/// A program `ssh` that runs its command here, and a `berth` or `docker` for it to run.
fn far_side(directory: &Path, address: &str, program: &str, real: &str) -> String {
    let bin = directory.join(format!("bin-{program}"));
    std::fs::create_dir_all(&bin).unwrap();
    let script = |name: &str, text: String| {
        let path = bin.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let log = directory.join("log").display().to_string();
    // What stands behind `--` and the host is for the far side's shell.
    script(
        "ssh",
        format!(
            "#!/bin/sh\necho \"$*\" >> {log}\nwhile [ \"$1\" != -- ]; do shift; done; shift 2\n\
             export DOCKER_HOST={address}\nexec sh -c \"$*\"\n"
        ),
    );
    script(program, format!("#!/bin/sh\nexec {real} \"$@\"\n"));
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display())
}

fn ssh_reaches_the_daemon(host: &Host) {
    let directory = TempDir::new().unwrap();
    let docker =
        String::from_utf8(Command::new("sh").args(["-c", "command -v docker"]).output().unwrap().stdout).unwrap();
    let image = host.image();
    let id = host.run(&["info", "-f", "{{.ID}}"]);
    let program = host.command().get_program().to_str().unwrap().to_owned();
    let program = if program == BERTH { program } else { docker.trim().to_owned() };
    // Both far sides: ours, and Docker's own where ours is not installed.
    for (name, real) in [("berth", BERTH), ("docker", docker.trim())] {
        let path = far_side(directory.path(), host.address(), name, real);
        // Docker asks for `docker` over there, under whatever name that runs.
        if name == "berth" {
            std::fs::copy(directory.path().join("bin-berth/berth"), directory.path().join("bin-berth/docker")).unwrap();
        }
        let run = |args: &[&str], input: &[u8]| {
            let mut command = bare(&program, directory.path());
            command.env("DOCKER_HOST", "ssh://me@far.example:2222").env("PATH", &path).args(args);
            let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = child.spawn().unwrap();
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
            Done::from(child.wait_with_output().unwrap())
        };
        assert_eq!(run(&["info", "-f", "{{.ID}}"], b"").out, id, "{name}");
        // Half-closed connections, both streams, and the exit code come through.
        let done = run(&["run", "-i", "--rm", &image, "sh", "-c", "cat; echo err >&2; exit 3"], b"some input");
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (3, "some input", "err\n"), "{name}");
    }
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("-l me -p 2222") && log.contains("-- far.example"), "{log}");
    if program == BERTH {
        let mut command = bare(BERTH, directory.path());
        let refused = command.args(["-H", "ssh://-oProxyCommand=x", "ps"]).output().unwrap();
        Done::from(refused).fails_with(1, "unable to resolve docker endpoint: invalid ssh host");
    }
}
