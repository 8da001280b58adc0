//! A registry that writes down what it is asked. Real ones do not say whom else a client would have asked: this one
//! is a proxy as well, and then is every registry of the world.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A registry of one image layout, for any name of a repository, until this process ends.
pub(crate) struct MockRegistry {
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    shelf: Arc<Shelf>,
}

/// What every connection shares.
struct Shelf {
    host: String,
    layout: PathBuf,
    /// What a client has to show; it gets it at `/token`.
    token: Option<&'static str>,
    seen: Mutex<Vec<Request>>,
}

/// A request, as far as anybody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// `GET http://host/path` where it came as to a proxy, else `GET /path`
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
}

impl MockRegistry {
    /// Gives to anybody.
    pub(crate) fn open(layout: &Path) -> Self {
        Self::start(layout, None)
    }

    /// Gives to those who bring a token of its own service.
    pub(crate) fn with_tokens(layout: &Path, token: &'static str) -> Self {
        Self::start(layout, Some(token))
    }

    fn start(layout: &Path, token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shelf = Shelf { host: host.clone(), layout: layout.to_owned(), token, seen: Mutex::default() };
        let shelf = Arc::new(shelf);
        let shared = Arc::clone(&shelf);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shelf = Arc::clone(&shared);
                // A client that hangs up early is not our failure.
                std::thread::spawn(move || drop(shelf.serve(stream)));
            }
        });
        Self { host, shelf }
    }

    /// Everything so far, in order.
    pub(crate) fn seen(&self) -> Vec<Request> {
        self.shelf.seen.lock().unwrap().clone()
    }
}

impl Shelf {
    /// One request; then the connection ends.
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let mut authorization = None;
        for header in lines {
            let header = header?;
            match header.split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    authorization = Some(value.to_owned());
                }
                Some(_) => {}
                None => break,
            }
        }
        let line = line.trim_end_matches(" HTTP/1.1").to_owned();
        self.seen.lock().unwrap().push(Request { line: line.clone(), authorization: authorization.clone() });
        let (method, target) = line.split_once(' ').unwrap_or_default();
        if method == "CONNECT" {
            // As at a registry without TLS: whoever says hello is answered in HTTP.
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let _hello = stream.read(&mut [0; 4096])?;
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
        let answer = self.answer(path_of(target), authorization.as_deref());
        let head = format!("HTTP/1.1 {}\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
        stream.write_all((head + &answer.headers + "Connection: close\r\n\r\n").as_bytes())?;
        if method != "HEAD" {
            stream.write_all(&answer.body)?;
        }
        Ok(())
    }

    fn answer(&self, path: &str, authorization: Option<&str>) -> Answer {
        let token = self.token.unwrap_or_default();
        if path.starts_with("/token?") {
            return Answer::ok("application/json", format!(r#"{{"token":"{token}"}}"#).into());
        }
        if self.token.is_some() && authorization != Some(&format!("Bearer {token}")) {
            return self.challenge(path);
        }
        let name = path.rsplit_once('/').map(|(_, name)| name).unwrap_or_default();
        let digest = if name.contains(':') { Some(name.to_owned()) } else { self.tagged(name) };
        let blob = digest.and_then(|digest| {
            let bytes = fs::read(self.layout.join("blobs").join(digest.replace(':', "/"))).ok()?;
            Some((digest, bytes))
        });
        match blob {
            Some((digest, bytes)) => {
                let kind = if path.contains("/manifests/") {
                    "application/vnd.oci.image.manifest.v1+json"
                } else {
                    "application/octet-stream"
                };
                let mut answer = Answer::ok(kind, bytes);
                answer.headers += &format!("Docker-Content-Digest: {digest}\r\n");
                answer
            }
            None if path == "/v2/" => Answer::ok("application/json", b"{}".into()),
            None => Answer { status: "404 Not Found", ..Answer::default() },
        }
    }

    /// Where to get a token, and for what.
    fn challenge(&self, path: &str) -> Answer {
        let rest = path.trim_start_matches("/v2/");
        let repository = rest.split("/manifests/").next().unwrap_or_default();
        let repository = repository.split("/blobs/").next().unwrap_or_default();
        let scope = if rest.is_empty() { String::new() } else { format!(",scope=\"repository:{repository}:pull\"") };
        let realm = format!("realm=\"http://{}/token\",service=\"mock\"", self.host);
        let headers = format!("WWW-Authenticate: Bearer {realm}{scope}\r\n");
        Answer { status: "401 Unauthorized", headers, ..Answer::default() }
    }

    fn tagged(&self, tag: &str) -> Option<String> {
        let index: Value = serde_json::from_slice(&fs::read(self.layout.join("index.json")).unwrap()).unwrap();
        let manifests = index["manifests"].as_array()?;
        let name = |manifest: &Value| manifest["annotations"]["org.opencontainers.image.ref.name"].clone();
        let found =
            manifests.iter().find(|manifest| name(manifest).as_str().is_some_and(|name| name.ends_with(tag)))?;
        Some(found["digest"].as_str()?.to_owned())
    }
}

#[derive(Default)]
struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn ok(kind: &str, body: Vec<u8>) -> Self {
        Self { status: "200 OK", headers: format!("Content-Type: {kind}\r\n"), body }
    }
}

/// `/path`, also of `http://host/path`.
fn path_of(target: &str) -> &str {
    let rest = target.strip_prefix("http://").unwrap_or(target);
    rest.find('/').map_or("", |at| &rest[at..])
}
