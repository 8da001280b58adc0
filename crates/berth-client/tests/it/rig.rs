//! A daemon that answers from a script.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use berth_client::{Client, Host};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// One request as it came: its first line, head and body.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What to do with a request.
pub(crate) enum Reply {
    /// Write this and go on.
    Text(String),
    /// Write this and close.
    Last(String),
    /// Write this, then echo until the client closes its side, then say goodbye.
    Echo(String),
}

pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    _directory: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }
}

/// `answer` gives the reply to a request's first line.
pub(crate) fn rig(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (seen, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let (answer, log, count) = (Arc::new(answer), seen.clone(), connections.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(serve(stream, answer.clone(), log.clone()));
        }
    });
    Rig { client: Client::connect(&Host::Unix(path)), seen, connections, _directory: directory }
}

pub(crate) fn json(status: &str, body: &str) -> Reply {
    Reply::Text(format!(
        "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

async fn serve(mut stream: UnixStream, answer: Arc<dyn Fn(&str) -> Reply + Send + Sync>, log: Arc<Mutex<Vec<Seen>>>) {
    while let Some(seen) = read_request(&mut stream).await {
        let reply = answer(&seen.line);
        log.lock().unwrap().push(seen);
        match reply {
            Reply::Text(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Last(text) => return stream.write_all(text.as_bytes()).await.unwrap(),
            Reply::Echo(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                let mut typed = Vec::new();
                stream.read_to_end(&mut typed).await.unwrap();
                stream.write_all(&typed).await.unwrap();
                return stream.write_all(b" goodbye").await.unwrap();
            }
        }
    }
}

async fn read_request(stream: &mut UnixStream) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Seen { line, head, body: String::from_utf8(body).unwrap() })
}
