//! A daemon that plays a script: it answers by method and path, and remembers what it was asked.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// What is answered to one request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A status and a JSON body.
    Json(u16, String),
    /// `101`, then these bytes; what the client sent is remembered as the request's body.
    Hijack(Vec<u8>),
    /// `200` and these bytes, of this type.
    Bytes(&'static str, Vec<u8>),
}

/// What the client asked: `POST /containers/create?name=x` and the body.
pub(crate) type Asked = Vec<(String, String)>;

/// The daemon; it ends with the test process.
pub(crate) struct Daemon {
    path: PathBuf,
    asked: Arc<Mutex<Asked>>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

impl Daemon {
    /// Answers by the first entry that a request's method and path begin with.
    pub(crate) fn new(script: Vec<(&'static str, Answer)>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("berth-cli-{}-{}.sock", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, asked) = (script.clone(), Arc::clone(&remembered));
                std::thread::spawn(move || serve(stream, &script, &asked));
            }
        });
        Self { path, asked }
    }

    /// Its address.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// The requests so far, without version prefix.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(line, _)| line.clone()).collect()
    }

    /// The body of the first request that begins so.
    pub(crate) fn body(&self, start: &str) -> String {
        self.asked.lock().unwrap().iter().find(|(line, _)| line.starts_with(start)).unwrap().1.clone()
    }
}

fn serve(mut stream: UnixStream, script: &[(&'static str, Answer)], asked: &Mutex<Asked>) {
    let mut pending = Vec::new();
    while let Some((line, body)) = request(&mut stream, &mut pending) {
        let at = {
            let mut asked = asked.lock().unwrap();
            asked.push((line.clone(), body));
            asked.len() - 1
        };
        let answer = script.iter().find(|(start, _)| line.starts_with(start)).map(|(_, answer)| answer.clone());
        let answer = answer.unwrap_or_else(|| Answer::Json(404, format!(r#"{{"message":"no script for {line}"}}"#)));
        match answer {
            Answer::Json(status, body) => send(&mut stream, status, "application/json", body.as_bytes()),
            Answer::Bytes(kind, body) => send(&mut stream, 200, kind, &body),
            Answer::Hijack(output) => {
                let head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                let mut typed = Vec::new();
                // Standard input, where it is attached, comes to its end before the output does.
                if line.contains("stdin=1") || line.contains("/exec/") {
                    _ = stream.read_to_end(&mut typed);
                }
                asked.lock().unwrap()[at].1 = String::from_utf8_lossy(&typed).into_owned();
                _ = stream.write_all(&output);
                return;
            }
        }
    }
}

fn send(stream: &mut UnixStream, status: u16, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nApi-Version: 1.51\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// Reads one request: its line without version, and its body.
fn request(stream: &mut UnixStream, pending: &mut Vec<u8>) -> Option<(String, String)> {
    let end = loop {
        if let Some(end) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        pending.extend_from_slice(&buffer[..n]);
    };
    let head = String::from_utf8_lossy(&pending[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |l| l.parse().unwrap());
    let line = String::from_utf8_lossy(&pending[..end]).lines().next().unwrap().to_owned();
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let path = path.strip_prefix("/v1.51").unwrap_or(path);
    pending.drain(..end);
    while pending.len() < length {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).ok().filter(|n| *n > 0)?;
        pending.extend_from_slice(&buffer[..n]);
    }
    let body = String::from_utf8_lossy(&pending.drain(..length).collect::<Vec<_>>()).into_owned();
    Some((format!("{method} {path}"), body))
}

/// One frame of a multiplexed stream.
pub(crate) fn frame(stream: u8, text: &str) -> Vec<u8> {
    let mut frame = vec![stream, 0, 0, 0];
    frame.extend_from_slice(&(text.len() as u32).to_be_bytes());
    frame.extend_from_slice(text.as_bytes());
    frame
}
