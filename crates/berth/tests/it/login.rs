//! `login` and `logout`: registries that want a password, registries that give tokens, and what is kept.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_fixtures::{PASSWORD, USER};
use serde_json::Value;
use tempfile::TempDir;

use crate::host::{BERTH, Cli, Done, Host};
use crate::mock_web::{Asked, MockWeb, Reply, json, pairs, status};
use crate::registry;
use crate::terminal::Terminal;

rows![
    a036_login,
    a036_wrong_password,
    a036_what_others_keep,
    a036_the_other_command_line_reads_it,
    a036_identity_token,
    a036_prompts,
    a036_refused_before_asking,
    a036_http_headers,
];

fn at(host: &Host, config: &Path, args: &[&str]) -> Done {
    Done::from(host.command().env("DOCKER_CONFIG", config).args(args).output().unwrap())
}

fn log_in(host: &Host, config: &Path, password: &str, server: &str) -> Done {
    let mut command = host.command();
    command.env("DOCKER_CONFIG", config).args(["login", "-u", USER, "--password-stdin", server]);
    crate::login_helpers::with_input(command, password)
}

fn read(config: &Path) -> Value {
    serde_json::from_slice(&fs::read(config.join("config.json")).unwrap()).unwrap()
}

fn a036_login(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let config = TempDir::new().unwrap();
    let done = log_in(host, config.path(), &format!("{PASSWORD}\n"), &registry.host);
    assert_eq!((done.code, done.out.as_str()), (0, "Login Succeeded"), "{}", done.err);
    let warning = format!(
        "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper to remove this \
         warning. See\nhttps://docs.docker.com/go/credential-store/\n\n",
        config.path().join("config.json").display()
    );
    assert_eq!(done.err, warning);
    let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let expected =
        format!("{{\n\t\"auths\": {{\n\t\t\"{}\": {{\n\t\t\t\"auth\": \"{auth}\"\n\t\t}}\n\t}}\n}}", registry.host);
    assert_eq!(fs::read_to_string(config.path().join("config.json")).unwrap(), expected);
    // What was kept is used where nothing is given.
    let done = at(host, config.path(), &["login", &registry.host]);
    assert_eq!((done.code, done.out.as_str()), (0, "Login Succeeded"), "{}", done.err);
    assert!(
        done.err.contains(&format!("Authenticating with existing credentials... [Username: {USER}]")),
        "{}",
        done.err
    );
    let done = at(host, config.path(), &["logout", &format!("http://{}/", registry.host)]);
    assert_eq!((done.code, done.out), (0, format!("Removing login credentials for {}", registry.host)));
    assert_eq!(fs::read_to_string(config.path().join("config.json")).unwrap(), "{\n\t\"auths\": {}\n}");
    at(host, config.path(), &["login", &registry.host])
        .fails_with(1, "Error: Cannot perform an interactive login from a non TTY device");
}

fn a036_wrong_password(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let config = TempDir::new().unwrap();
    let done = at(host, config.path(), &["login", "-u", USER, "-p", "wrong", &registry.host]);
    done.fails_with(1, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    let text = format!("login attempt to http://{}/v2/ failed with status: 401 Unauthorized", registry.host);
    done.fails_with(1, &format!("Error response from daemon: {text}"));
    assert!(!config.path().join("config.json").exists());
    at(host, config.path(), &["login", "-u", USER, "-p", PASSWORD, "127.0.0.1:1"])
        .fails_with(1, "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused");
}

/// A registry without a lock takes anybody; what is in the file stays.
fn a036_what_others_keep(host: &Host) {
    let config = TempDir::new().unwrap();
    let before = r#"{"auths":{"other.example":{"auth":"eDp5"}},"psFormat":"{{.ID}}"}"#;
    fs::write(config.path().join("config.json"), before).unwrap();
    let server = &registry::shared().host;
    assert_eq!(log_in(host, config.path(), "any", server).out, "Login Succeeded");
    let after = read(config.path());
    assert_eq!(after["auths"]["other.example"]["auth"], "eDp5");
    assert_eq!(after["auths"][server]["auth"], STANDARD.encode(format!("{USER}:any")));
    assert_eq!(after["psFormat"], "{{.ID}}");
    at(host, config.path(), &["logout", server]);
    assert_eq!(read(config.path())["auths"], serde_json::json!({"other.example": {"auth": "eDp5"}}));
    assert_eq!(at(host, config.path(), &["logout"]).out, "Removing login credentials for https://index.docker.io/v1/");
}

/// One command line logs in, the other one pulls with what it kept.
fn a036_the_other_command_line_reads_it(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let source = format!("docker://{}", registry::reference("busybox"));
    let target = format!("docker://{}/private", registry.host);
    let credentials = format!("{USER}:{PASSWORD}");
    let flags = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", &credentials];
    berth_fixtures::command("skopeo", &[&flags[..], &[&source, &target]].concat());
    let image = format!("{}/private", registry.host);
    let config = TempDir::new().unwrap();
    at(host, config.path(), &["pull", &image]).fails_with(1, "no basic auth credentials");
    assert_eq!(log_in(host, config.path(), PASSWORD, &registry.host).out, "Login Succeeded");
    let other = if host.cli() == Cli::Ours { "docker" } else { BERTH };
    for program in [other, if other == BERTH { "docker" } else { BERTH }] {
        let mut command = std::process::Command::new(program);
        command.env("DOCKER_HOST", host.address()).env("DOCKER_CONFIG", config.path()).args(["pull", "-q", &image]);
        let done = Done::from(command.output().unwrap());
        assert_eq!((done.code, done.out), (0, format!("{image}:latest")), "{program}: {}", done.err);
        host.run(&["rmi", &image]);
    }
}

/// A registry with a token server: `right` is the password, and most users get an identity token.
fn token_server(host: &str, asked: &Asked) -> Reply {
    let challenge = || {
        let header = format!("WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"mock\"");
        ("401 Unauthorized", vec![header], String::new())
    };
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/token") => {
            let user = asked.query.get("account").cloned().unwrap_or_default();
            if asked.authorization() != format!("Basic {}", STANDARD.encode(format!("{user}:right"))) {
                return status("401 Unauthorized");
            }
            let mut answer = serde_json::json!({"token": "good", "expires_in": 300});
            if asked.query.get("offline_token").is_some_and(|text| text == "true") && user != "plain" {
                answer["refresh_token"] = format!("refresh-{user}").into();
            }
            json(&answer)
        }
        ("POST", "/token") if pairs(&asked.body).get("refresh_token").is_some_and(|t| t.starts_with("refresh-")) => {
            json(&serde_json::json!({"access_token": "good", "expires_in": 300}))
        }
        (_, "/token") => status("401 Unauthorized"),
        _ if asked.authorization() != "Bearer good" => challenge(),
        (_, "/v2/") => json(&serde_json::json!({})),
        _ => status("404 Not Found"),
    }
}

fn a036_identity_token(host: &Host) {
    let server = MockWeb::start(token_server);
    let config = TempDir::new().unwrap();
    let login =
        |user: &str, password: &str| at(host, config.path(), &["login", "-u", user, "-p", password, &server.host]);
    let refused = format!("Get \"http://{}/v2/\": unauthorized: incorrect username or password", server.host);
    login("somebody", "wrong").fails_with(1, &refused);
    let done = login("somebody", "right");
    assert_eq!((done.code, done.out.as_str()), (0, "Login Succeeded"), "{}", done.err);
    assert!(!done.err.contains("unencrypted"), "{}", done.err);
    let expected = serde_json::json!({"auth": STANDARD.encode("somebody:"), "identitytoken": "refresh-somebody"});
    assert_eq!(read(config.path())["auths"][&server.host], expected);
    let asked = server.asked("/token").pop().unwrap();
    assert_eq!(asked.query["service"], "mock");
    assert_eq!(asked.query["client_id"], "docker");
    // The token is shown instead of the password.
    server.forget();
    at(host, config.path(), &["pull", &format!("{}/x", server.host)]).fails_with(1, "not found");
    let asked = server.asked("/token").pop().unwrap();
    assert_eq!((asked.method.as_str(), asked.authorization()), ("POST", ""));
    assert_eq!(pairs(&asked.body)["refresh_token"], "refresh-somebody");
    assert_eq!(pairs(&asked.body)["scope"], "repository:x:pull");
    // Where no token is given, the password is kept.
    let done = login("plain", "right");
    assert!(done.ok() && done.err.contains("stored unencrypted"), "{}", done.err);
    let kept = &read(config.path())["auths"][&server.host];
    assert_eq!(*kept, serde_json::json!({"auth": STANDARD.encode("plain:right")}));
}

fn a036_prompts(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let config = TempDir::new().unwrap();
    let start = |args: &[&str]| {
        let mut command = host.command();
        command.env("DOCKER_CONFIG", config.path()).arg("login").args(args).arg(&registry.host);
        Terminal::start(&command)
    };
    let terminal = start(&[]);
    terminal.shows("Username: ");
    terminal.type_in(&format!("{USER}\r"));
    terminal.shows("Password: ");
    terminal.type_in(&format!("{PASSWORD}\r"));
    terminal.shows("Login Succeeded");
    assert!(!terminal.screen().contains(PASSWORD), "{}", terminal.screen());
    assert_eq!(terminal.ends(), 0);
    let kept = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    assert_eq!(read(config.path())["auths"][&registry.host]["auth"], kept);
    at(host, config.path(), &["logout", &registry.host]);

    let terminal = start(&["-u", USER]);
    terminal.shows("Password: ");
    terminal.type_in("\r");
    terminal.shows("Error: Password Required");
    assert_eq!(terminal.ends(), 1);
    let terminal = start(&[]);
    terminal.shows("Username: ");
    terminal.type_in("\r");
    terminal.shows("Error: Non-null Username Required");
    assert_eq!(terminal.ends(), 1);
    assert_eq!(read(config.path())["auths"], serde_json::json!({}));
}

fn a036_refused_before_asking(host: &Host) {
    let config = TempDir::new().unwrap();
    for (args, reason) in [
        (&["-u", "a", "-p", "b", "--password-stdin"][..], "cannot specify both --password and --password-stdin"),
        (&["--password-stdin"], "the --password-stdin option requires --username to be set"),
        (&["-u", "", "-p", "b"], "username is empty"),
        (&["-u", "a", "-p", ""], "password is empty"),
        (&["-u", "a"], "Error: Cannot perform an interactive login from a non TTY device"),
        (&["-p", "a"], "Error: Cannot perform an interactive login from a non TTY device"),
        (&["-u", "a", "--password-stdin"], "Error: Cannot perform an interactive login from a non TTY device"),
    ] {
        at(host, config.path(), &[&["login"], args, &["127.0.0.1:1"]].concat()).fails_with(1, reason);
    }
    at(host, config.path(), &["login", "a", "b"]).fails_with(1, "requires at most 1 argument");
    assert!(!config.path().join("config.json").exists());
}

/// `HttpHeaders` go to the daemon with every request.
fn a036_http_headers(host: &Host) {
    let daemon = MockWeb::start(|_, asked| match asked.path.rsplit_once('/') {
        Some((_, "_ping")) => ("200 OK", vec!["Api-Version: 1.51".into(), "Ostype: linux".into()], "OK".into()),
        Some((_, "auth")) => json(&serde_json::json!({"IdentityToken": "", "Status": "Login Succeeded"})),
        _ => status("404 Not Found"),
    });
    let config = TempDir::new().unwrap();
    fs::write(config.path().join("config.json"), r#"{"HttpHeaders":{"X-Team":"blue"}}"#).unwrap();
    let mut command = host.command();
    command.env("DOCKER_HOST", format!("tcp://{}", daemon.host)).env("DOCKER_CONFIG", config.path());
    let done = Done::from(command.args(["login", "-u", "a", "-p", "b", "reg.example"]).output().unwrap());
    assert_eq!((done.code, done.out.as_str()), (0, "Login Succeeded"), "{}", done.err);
    // Docker's command line speaks the version that it knows.
    let asked = ["/v1.50/auth", "/v1.51/auth"].into_iter().flat_map(|path| daemon.asked(path)).next().unwrap();
    assert_eq!(asked.headers["x-team"], "blue");
    let sent: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(sent, serde_json::json!({"username": "a", "password": "b", "serveraddress": "reg.example"}));
    assert_eq!(read(config.path())["HttpHeaders"]["X-Team"], "blue");
}

/// Ours alone: where no daemon listens, the command line asks the registry itself. (Docker's does so too, but only
/// for registries with TLS.)
#[test]
fn a036_without_a_daemon() {
    let registry = registry::guarded("without-a-daemon");
    let config = TempDir::new().unwrap();
    let run = |password: &str| {
        let mut command = std::process::Command::new(BERTH);
        command.env("DOCKER_HOST", "unix:///nonexistent/sock").env("DOCKER_CONFIG", config.path());
        command.args(["login", "-u", USER, "-p", password, &registry.host]);
        Done::from(command.output().unwrap())
    };
    run("wrong").fails_with(1, "failed with status: 401 Unauthorized");
    assert_eq!(run(PASSWORD).out, "Login Succeeded");
    assert!(read(config.path())["auths"][&registry.host]["auth"].is_string());
}
