//! Plugins of the command line, and `config.json`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::host::{Cli, Done, Host};

rows![plugin_runs, plugin_broken_is_said, config_proxies, config_formats, config_alias];

const METADATA: &str =
    r#"{"SchemaVersion":"0.1.0","Vendor":"Somebody","Version":"v1.2","ShortDescription":"Says hey"}"#;

fn plugin(config: &Path, name: &str, metadata: &str, body: &str) {
    let directory = config.join("cli-plugins");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join(format!("docker-{name}"));
    let ask = format!("[ \"$1\" = docker-cli-plugin-metadata ] && {{ echo '{metadata}'; exit; }}");
    std::fs::write(&path, format!("#!/bin/sh\n{ask}\n{body}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(host: &Host, config: &Path, args: &[&str]) -> Done {
    Done::from(host.command().env("DOCKER_CONFIG", config).args(args).output().unwrap())
}

fn plugin_runs(host: &Host) {
    let config = TempDir::new().unwrap();
    let body = "echo \"args: $*\"; echo \"original: ${DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND##*/}\"; cat; exit 7";
    plugin(config.path(), "hey", METADATA, body);
    let done = run(host, config.path(), &["hey", "a", "--b", "-c=d"]);
    let name = if host.cli() == Cli::Ours { "berth" } else { "docker" };
    assert_eq!((done.code, done.out), (7, format!("args: hey a --b -c=d\noriginal: {name}")));
    let done = run(host, config.path(), &["-D", "hey", "--help"]);
    assert!(done.out.starts_with("args: -D hey --help\n"), "{}", done.out);
    let help = run(host, config.path(), &["--help"]).out;
    assert!(help.lines().any(|line| line.trim().starts_with("hey*") && line.ends_with("Says hey")), "{help}");
    let done = run(host, config.path(), &["help", "hey"]);
    assert!(done.out.starts_with("args: help hey\n"), "{}", done.out);
    let info = run(
        host,
        config.path(),
        &["info", "-f", "{{range .ClientInfo.Plugins}}{{.Name}} {{.Version}} {{.Vendor}}{{end}}"],
    );
    assert_eq!(info.out, "hey v1.2 Somebody");
    let text = run(host, config.path(), &["info"]).out;
    assert!(text.contains("  hey: Says hey (Somebody)\n    Version:  v1.2\n    Path:     "), "{text}");
}

fn plugin_broken_is_said(host: &Host) {
    let config = TempDir::new().unwrap();
    plugin(config.path(), "nojson", "hello", "");
    plugin(config.path(), "noven", r#"{"SchemaVersion":"0.1.0"}"#, "");
    plugin(config.path(), "newer", r#"{"SchemaVersion":"9.1.0","Vendor":"V"}"#, "");
    plugin(config.path(), "ps", METADATA, "");
    plugin(config.path(), "Bad_Name", METADATA, "");
    let help = run(host, config.path(), &["--help"]).out;
    let invalid = help.split("Invalid Plugins:").nth(1).unwrap();
    for (name, reason) in [
        ("nojson", "invalid metadata: "),
        ("noven", "plugin metadata does not define a vendor"),
        ("newer", "plugin SchemaVersion \"9.1.0\" is not valid, must be 0.1.0"),
        ("ps", "plugin \"ps\" duplicates builtin command"),
        ("Bad_Name", "plugin candidate \"Bad_Name\" did not match"),
    ] {
        let line = invalid.lines().find(|line| line.trim().starts_with(name)).unwrap();
        assert!(line.contains(reason), "{line}");
    }
    assert!(!run(host, config.path(), &["nojson"]).ok());
    assert!(run(host, config.path(), &["ps"]).ok());
}

fn config_proxies(host: &Host) {
    let config = TempDir::new().unwrap();
    let text = r#"{"proxies":{"default":{"httpProxy":"http://p.example:1","noProxy":"a,b"}}}"#;
    std::fs::write(config.path().join("config.json"), text).unwrap();
    let image = host.image();
    let done = run(host, config.path(), &["run", "--rm", "-e", "HTTP_PROXY=mine", &image, "env"]);
    let mut lines: Vec<&str> = done.out.lines().filter(|line| line.to_lowercase().contains("proxy")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["HTTP_PROXY=mine", "NO_PROXY=a,b", "http_proxy=http://p.example:1", "no_proxy=a,b"]);
}

fn config_formats(host: &Host) {
    let config = TempDir::new().unwrap();
    let text =
        r#"{"psFormat":"{{.Names}}!","imagesFormat":"{{.Repository}}?","networksFormat":"{{.Name}}/{{.Driver}}"}"#;
    std::fs::write(config.path().join("config.json"), text).unwrap();
    let (image, name) = (host.image(), host.name("formats"));
    host.run(&["create", "--name", &name, &image]);
    let only = format!("name={name}");
    assert_eq!(run(host, config.path(), &["ps", "-a", "--filter", &only]).out, format!("{name}!"));
    assert_eq!(run(host, config.path(), &["ps", "-a", "--filter", &only, "--format", "{{.Names}}"]).out, name);
    assert!(run(host, config.path(), &["images"]).out.lines().all(|line| line.ends_with('?')));
    let networks = run(host, config.path(), &["network", "ls"]).out;
    assert!(networks.lines().any(|line| line == "host/host"), "{networks}");
    assert!(networks.lines().any(|line| line == "none/null"), "{networks}");
    host.run(&["rm", &name]);
}

fn config_alias(host: &Host) {
    let config = TempDir::new().unwrap();
    plugin(config.path(), "hey", METADATA, "echo \"args: $*\"");
    std::fs::write(config.path().join("config.json"), r#"{"aliases":{"builder":"hey"}}"#).unwrap();
    assert_eq!(run(host, config.path(), &["builder", "ls"]).out, "args: hey ls");
    assert_eq!(run(host, config.path(), &["build", "."]).out, "args: hey build .");
    std::fs::write(config.path().join("config.json"), r#"{"aliases":{"psq":"ps"}}"#).unwrap();
    run(host, config.path(), &["psq"]).fails_with(1, "not allowed to alias \"psq\" (allowed: ");
}
