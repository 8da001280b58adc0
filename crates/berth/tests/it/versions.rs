//! Versions of the API: old clients are served, newer ones are told how far we go.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::host::{Cli, Done, Host, until};

/// The head and the body of the answer, as they came.
fn ask(host: &Host, method: &str, path: &str) -> (String, String) {
    let mut stream = UnixStream::connect(host.address().trim_start_matches("unix://")).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends with an empty line");
    (head.to_owned(), body.to_owned())
}

#[test]
fn every_version_is_served() {
    let host = Host::start(Cli::Ours);
    for version in ["1.24", "1.40", "1.51"] {
        let (head, body) = ask(&host, "GET", &format!("/v{version}/version"));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{version}: {head}");
        assert!(body.contains(r#""ApiVersion":"1.51""#) && body.contains(r#""MinAPIVersion":"1.24""#), "{body}");
    }
    let (head, body) = ask(&host, "GET", "/v1.99/version");
    assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
    let text = "client version 1.99 is too new. Maximum supported API version is 1.51";
    assert_eq!(body.trim_end(), format!(r#"{{"message":"{text}"}}"#));
}

#[test]
fn ping_says_what_clients_ask_for() {
    let host = Host::start(Cli::Ours);
    let (head, body) = ask(&host, "HEAD", "/_ping");
    let mut lines = head.lines();
    assert_eq!((lines.next(), body.as_str()), (Some("HTTP/1.1 200 OK"), ""));
    let headers: Vec<String> = lines.map(str::to_ascii_lowercase).collect();
    for expected in [
        "api-version: 1.51",
        "builder-version: 1",
        "cache-control: no-cache, no-store, must-revalidate",
        "content-type: text/plain; charset=utf-8",
        "docker-experimental: false",
        "ostype: linux",
        "pragma: no-cache",
        "swarm: inactive",
    ] {
        assert!(headers.iter().any(|header| header == expected), "{expected} is missing: {headers:?}");
    }
    assert!(headers.iter().any(|header| header.starts_with("server: ")), "{headers:?}");
    assert_eq!(ask(&host, "GET", "/_ping").1, "OK");
}

/// Docker's own command line of these days waits for ever with API 1.24: for an event that no engine sends.
#[test]
fn a_run_that_cannot_start_ends_with_every_version() {
    let host = Host::start(Cli::Ours);
    let image = host.image();
    for version in ["1.24", "1.29", "1.41", "1.51"] {
        let name = host.name("never");
        let mut command = host.command();
        command.env("DOCKER_API_VERSION", version).args(["run", "--rm", "--name", &name, &image, "/no/such/file"]);
        Done::from(command.output().unwrap()).fails_with(127, "no such file or directory");
        let listed = ["ps", "-aq", "--filter", &format!("name={name}")];
        until("it is gone", || host.run(&listed).is_empty());
    }
}
