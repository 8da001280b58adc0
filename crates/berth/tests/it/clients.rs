//! Clients of old versions of the API, as raw as they come: they drive a container through its life.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::host::{Cli, Host};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

fn open(host: &Host, method: &str, path: &str, headers: &str, body: Option<&str>) -> UnixStream {
    let mut stream = UnixStream::connect(host.address().trim_start_matches("unix://")).unwrap();
    let body = body.unwrap_or("");
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    // HTTP/1.0 has no chunks, so that what comes is what was meant.
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: docker\r\n{kind}{headers}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

fn read(mut stream: UnixStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head ends in {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head}"));
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks, and reads to the end.
pub(crate) fn ask(host: &Host, method: &str, path: &str, body: Option<&str>) -> Answer {
    read(open(host, method, path, "", body))
}

/// The same, for an answer that is to be good and JSON.
pub(crate) fn json(host: &Host, method: &str, path: &str, body: Option<&str>) -> Value {
    let answer = ask(host, method, path, body);
    assert!(answer.status < 300, "{method} {path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{method} {path}: {error}: {}", answer.body))
}

#[track_caller]
fn done(host: &Host, method: &str, path: &str, status: u16) {
    let answer = ask(host, method, path, None);
    assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    assert!(answer.head.to_ascii_lowercase().contains("api-version: "), "{}", answer.head);
}

/// Takes a connection over as clients did before there was an `Upgrade`: a 200, then raw bytes.
fn hijack(host: &Host, path: &str, body: Option<&str>, input: &[u8]) -> Answer {
    let mut stream = open(host, "POST", path, "Connection: Upgrade\r\n", body);
    stream.write_all(input).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    read(stream)
}

fn life(version: &str) {
    let host = Host::start(Cli::Ours);
    let image = host.image();
    let at = |path: &str| format!("/v{version}{path}");
    let asked = format!(
        r#"{{"Image":"{image}","Cmd":["cat"],"OpenStdin":true,"StdinOnce":true,"AttachStdin":true,"AttachStdout":true,
            "HostConfig":{{"Memory":67108864,"ConsoleSize":[0,0],"KernelMemory":4194304,"RestartPolicy":{{"Name":""}}}}}}"#
    );
    let name = host.name("old");
    let made = json(&host, "POST", &at(&format!("/containers/create?name={name}")), Some(&asked));
    let id = made["Id"].as_str().unwrap().to_owned();
    assert!(made.get("Warnings").is_some(), "{made}");
    let container = |rest: &str| at(&format!("/containers/{id}{rest}"));

    // Attached before it is started, as clients do it.
    let mut attached = open(&host, "POST", &container("/attach?stream=1&stdin=1&stdout=1&stderr=1"), "", None);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        attached.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n"), "{head}");
    done(&host, "POST", &container("/start"), 204);
    done(&host, "POST", &container("/start"), 304);

    let shown = json(&host, "GET", &container("/json"), None);
    assert_eq!(shown["State"]["Status"], "running");
    assert!(shown["HostConfig"].get("KernelMemory").is_some(), "{version} knows kernel memory");
    let list = json(&host, "GET", &at("/containers/json?filters=%7B%22status%22%3A%5B%22running%22%5D%7D"), None);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");

    let exec = r#"{"Cmd":["sh","-c","cat; echo done"],"AttachStdin":true,"AttachStdout":true,"AttachStderr":true}"#;
    let made = json(&host, "POST", &container("/exec"), Some(exec));
    let exec = made["Id"].as_str().unwrap();
    let start = at(&format!("/exec/{exec}/start"));
    let said = hijack(&host, &start, Some(r#"{"Detach":false,"Tty":false}"#), b"into exec\n");
    assert_eq!(said.status, 200, "{said:?}");
    assert!(said.body.contains("into exec\n") && said.body.contains("done\n"), "{said:?}");
    let shown = json(&host, "GET", &at(&format!("/exec/{exec}/json")), None);
    assert_eq!((&shown["Running"], &shown["ExitCode"]), (&Value::from(false), &Value::from(0)));

    attached.write_all(b"into the container\n").unwrap();
    attached.shutdown(std::net::Shutdown::Write).unwrap();
    let mut out = Vec::new();
    attached.read_to_end(&mut out).unwrap();
    assert_eq!(&out[..8], [1, 0, 0, 0, 0, 0, 0, 19], "a frame of standard output: {out:?}");
    assert_eq!(&out[8..], b"into the container\n");
    let waited = json(&host, "POST", &container("/wait"), None);
    assert_eq!(waited["StatusCode"], 0);
    let logs = ask(&host, "GET", &container("/logs?stdout=1&tail=all"), None);
    assert!(logs.body.ends_with("into the container\n"), "{logs:?}");
    done(&host, "DELETE", &container("?v=1"), 204);
    let gone = ask(&host, "GET", &container("/json"), None);
    assert_eq!((gone.status, gone.body.trim()), (404, format!(r#"{{"message":"No such container: {id}"}}"#).as_str()));
}

#[test]
fn a_client_of_1_24() {
    life("1.24");
}

#[test]
fn a_client_of_1_32() {
    life("1.32");
}

/// Nobody's version is too old, unless the daemon is told so.
#[test]
fn a_client_of_1_12_is_served_too() {
    life("1.12");
}

#[test]
fn what_there_is_not() {
    let host = Host::start(Cli::Ours);
    assert_eq!(ask(&host, "GET", "/v1.44/plugins", None).body.trim(), "[]");
    assert_eq!(ask(&host, "GET", "/v1.44/plugins/x/json", None).status, 404);
    for (method, path) in [
        ("GET", "/swarm"),
        ("GET", "/nodes"),
        ("GET", "/services"),
        ("GET", "/tasks"),
        ("GET", "/secrets"),
        ("GET", "/configs"),
        ("POST", "/services/create"),
        ("DELETE", "/nodes/x"),
    ] {
        let answer = ask(&host, method, &format!("/v1.44{path}"), None);
        assert!(
            answer.status == 503 && answer.body.contains("This node is not a swarm manager."),
            "{path}: {answer:?}"
        );
    }
    let preflight = ask(&host, "OPTIONS", "/v1.44/containers/json", None);
    assert_eq!((preflight.status, preflight.body.as_str()), (200, ""));
    assert!(preflight.head.to_ascii_lowercase().contains("ostype: linux"), "{preflight:?}");
    let version = json(&host, "GET", "/version", None);
    let number = version["Version"].as_str().unwrap();
    assert!(number.starts_with("28.") && number.contains("+berth"), "{number}");
    assert_eq!(version["Components"][1]["Name"], "berth");
}
