//! Programs that keep credentials: `credsStore`, `credHelpers`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use berth_fixtures::{PASSWORD, USER};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{Done, Host};
use crate::registry;

rows![a036_credential_store, a036_credential_helper_of_one_registry, a036_helper_that_fails];

/// A helper that keeps each registry's entry in a file and writes down what it was told.
const HELPER: &str = r#"#!/bin/sh
here=$(dirname "$0")
input=$(cat)
echo "$1 $input" >> "$here/NAME.log"
name() { printf %s "$1" | tr -c 'a-z0-9.\n' _; }
case "$1" in
store) url=${input#*\"ServerURL\":\"}; printf %s "$input" > "$here/NAME.$(name "${url%%\"*}")" ;;
get) cat "$here/NAME.$(name "$input")" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f "$here/NAME.$(name "$input")" ;;
list) echo '{"listed.example":"somebody"}' ;;
esac
"#;

/// Runs a command with something on standard input.
pub(crate) fn with_input(mut command: Command, input: &str) -> Done {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    Done::from(child.wait_with_output().unwrap())
}

fn install(directory: &Path, name: &str, script: &str) {
    let path = directory.join(format!("docker-credential-{name}"));
    fs::write(&path, script.replace("NAME", name)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn at(host: &Host, config: &Path, args: &[&str]) -> Done {
    let path = format!("{}:{}", config.display(), std::env::var("PATH").unwrap());
    Done::from(host.command().env("DOCKER_CONFIG", config).env("PATH", path).args(args).output().unwrap())
}

fn log(config: &Path, name: &str) -> Vec<String> {
    let path = config.join(format!("{name}.log"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    drop(fs::remove_file(path));
    text.lines().map(str::to_owned).collect()
}

fn read(config: &Path) -> Value {
    serde_json::from_slice(&fs::read(config.join("config.json")).unwrap()).unwrap()
}

fn a036_credential_store(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let directory = TempDir::new().unwrap();
    let config = directory.path();
    install(config, "kept", HELPER);
    fs::write(config.join("config.json"), r#"{"credsStore":"kept"}"#).unwrap();
    let server = &registry.host;
    let done = at(host, config, &["login", "-u", USER, "-p", PASSWORD, server]);
    assert_eq!((done.code, done.out.as_str()), (0, "Login Succeeded"), "{}", done.err);
    assert!(!done.err.contains("unencrypted"), "{}", done.err);
    let stored = format!("store {{\"ServerURL\":\"{server}\",\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}");
    assert_eq!(log(config, "kept"), [stored]);
    assert_eq!(read(config), json!({"auths": {server: {}}, "credsStore": "kept"}));
    // A pull asks the helper, and the registry lets it in: it says what is missing there.
    let image = format!("{server}/nothing");
    at(host, config, &["pull", &image]).fails_with(1, &format!("manifest for {image}:latest not found"));
    assert_eq!(log(config, "kept"), [format!("get {server}")]);
    assert_eq!(at(host, config, &["login", server]).out, "Login Succeeded");
    log(config, "kept");
    at(host, config, &["logout", server]);
    let told = log(config, "kept");
    assert!(told.contains(&format!("erase {server}")) && told.contains(&format!("erase https://{server}")), "{told:?}");
    assert_eq!(read(config), json!({"auths": {}, "credsStore": "kept"}));
    at(host, config, &["pull", &image]).fails_with(1, "no basic auth credentials");
}

fn a036_credential_helper_of_one_registry(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let directory = TempDir::new().unwrap();
    let config = directory.path();
    install(config, "one", HELPER);
    let server = &registry.host;
    let before = json!({"credHelpers": {server: "one"}});
    fs::write(config.join("config.json"), before.to_string()).unwrap();
    assert!(at(host, config, &["login", "-u", USER, "-p", PASSWORD, server]).ok());
    assert_eq!(log(config, "one").len(), 1);
    // Another registry's credentials go into the file.
    let open = &registry::shared().host;
    assert!(at(host, config, &["login", "-u", USER, "-p", "any", open]).err.contains("stored unencrypted"));
    assert_eq!(log(config, "one"), [""; 0]);
    let auths = read(config)["auths"].clone();
    assert_eq!(auths[server], json!({}));
    assert!(auths[open]["auth"].is_string());
}

fn a036_helper_that_fails(host: &Host) {
    let server = &registry::shared().host;
    let directory = TempDir::new().unwrap();
    let config = directory.path();
    let before = r#"{"credsStore":"nosuch"}"#;
    fs::write(config.join("config.json"), before).unwrap();
    let done = at(host, config, &["login", "-u", USER, "-p", "any", server]);
    done.fails_with(1, "Error saving credentials: ");
    done.fails_with(1, "docker-credential-nosuch");
    done.fails_with(1, "executable file not found in $PATH");
    assert_eq!(fs::read_to_string(config.join("config.json")).unwrap(), before);
    // What anybody may have can be had without.
    let image = registry::reference("busybox");
    assert!(at(host, config, &["pull", &image]).ok());
    install(config, "nosuch", "#!/bin/sh\necho 'the vault is locked'; exit 1\n");
    at(host, config, &["login", "-u", USER, "-p", "any", server]).fails_with(1, "the vault is locked");
}

/// Ours alone: Tab offers the registries there is something to give up for.
#[test]
fn a036_logout_is_completed() {
    let directory = TempDir::new().unwrap();
    let config = directory.path();
    install(config, "kept", HELPER);
    let text = r#"{"auths":{"file.example":{"auth":"eDp5"}},"credsStore":"kept"}"#;
    fs::write(config.join("config.json"), text).unwrap();
    let path = format!("{}:{}", config.display(), std::env::var("PATH").unwrap());
    let complete = |args: &[&str]| {
        let mut command = Command::new(crate::host::BERTH);
        command.env("DOCKER_CONFIG", config).env("PATH", &path).arg("__complete").args(args);
        Done::from(command.output().unwrap()).out
    };
    assert_eq!(complete(&["logout", ""]), "file.example\nlisted.example\n:4");
    assert_eq!(complete(&["login", "l"]), "listed.example\n:4");
    let commands = complete(&["manifest", ""]);
    for command in ["annotate", "create", "inspect", "push", "rm"] {
        assert!(commands.contains(&format!("{command}\t")), "{commands}");
    }
    assert!(complete(&["search", "--no"]).starts_with("--no-trunc\t"));
}
