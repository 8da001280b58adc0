//! The Docker API by hand, a connection a call: what is measured is the engine, not a client built for debugging.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::peer::Peer;

/// One engine's socket.
pub(super) struct Api<'a> {
    socket: &'a Path,
}

impl<'a> Api<'a> {
    pub(super) fn of(peer: &'a Peer) -> Self {
        Self { socket: peer.socket() }
    }

    /// A container's id.
    pub(super) fn create(&self, body: &Value) -> Result<String> {
        let answer = self.call("POST", "/containers/create", Some(body))?;
        let (_, id) = answer.split_once("\"Id\":\"").with_context(|| format!("no id in {answer}"))?;
        Ok(id.chars().take_while(char::is_ascii_hexdigit).collect())
    }

    pub(super) fn start(&self, id: &str) -> Result<()> {
        self.call("POST", &format!("/containers/{id}/start"), None).map(drop)
    }

    pub(super) fn wait(&self, id: &str) -> Result<()> {
        self.call("POST", &format!("/containers/{id}/wait"), None).map(drop)
    }

    pub(super) fn stop(&self, id: &str) -> Result<()> {
        self.call("POST", &format!("/containers/{id}/stop"), None).map(drop)
    }

    pub(super) fn remove(&self, id: &str) -> Result<()> {
        self.call("DELETE", &format!("/containers/{id}?force=1"), None).map(drop)
    }

    /// How many things a list has, and how long it took to be here as a whole.
    pub(super) fn list(&self, path: &str) -> Result<(usize, Duration)> {
        let began = Instant::now();
        let answer = self.exchange("GET", path, None)?;
        let took = began.elapsed();
        Ok((body_of("GET", path, &answer)?.matches("\"Id\":").count(), took))
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<String> {
        body_of(method, path, &self.exchange(method, path, body)?)
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Vec<u8>> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = UnixStream::connect(self.socket)?;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n");
        let length = body.len();
        write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

fn body_of(method: &str, path: &str, answer: &[u8]) -> Result<String> {
    let text = String::from_utf8_lossy(answer);
    match text.get(9..10) {
        Some("2" | "3") => Ok(joined(&text)),
        _ => bail!("{method} {path}: {text}"),
    }
}

/// An answer's body, its chunks put together.
fn joined(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return rest.to_owned();
    }
    let mut body = String::new();
    while let Some((size, data)) = rest.split_once("\r\n")
        && let Ok(size @ 1..) = usize::from_str_radix(size, 16)
        && let Some(chunk) = data.get(..size)
    {
        body.push_str(chunk);
        rest = data[size..].trim_start_matches("\r\n");
    }
    body
}
