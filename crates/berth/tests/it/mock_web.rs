//! A web server that answers as a test says and writes down what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// Unescaped as far as tests need it.
    pub(crate) query: BTreeMap<String, String>,
    /// Names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn authorization(&self) -> &str {
        self.headers.get("authorization").map_or("", String::as_str)
    }
}

/// Status line, more headers, body.
pub(crate) type Reply = (&'static str, Vec<String>, String);

/// A JSON answer.
pub(crate) fn json(value: &serde_json::Value) -> Reply {
    ("200 OK", vec!["Content-Type: application/json".to_owned()], value.to_string())
}

/// A status without words.
pub(crate) fn status(line: &'static str) -> Reply {
    (line, Vec::new(), String::new())
}

/// A server that runs until this process ends.
pub(crate) struct MockWeb {
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl MockWeb {
    /// `answer` gets the server's own address and the request.
    pub(crate) fn start(answer: fn(&str, &Asked) -> Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (shared, name) = (Arc::clone(&seen), host.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, name) = (Arc::clone(&shared), name.clone());
                // A client that hangs up early is not our failure.
                std::thread::spawn(move || drop(serve(stream, &seen, &name, answer)));
            }
        });
        Self { host, seen }
    }

    /// Everything asked so far whose path is `path`.
    pub(crate) fn asked(&self, path: &str) -> Vec<Asked> {
        self.seen.lock().unwrap().iter().filter(|asked| asked.path == path).cloned().collect()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

/// One request; then the connection ends.
fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Asked>>,
    host: &str,
    answer: fn(&str, &Asked) -> Reply,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut asked = Asked::default();
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    asked.method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    asked.path = path.to_owned();
    asked.query = pairs(query);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        asked.headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = asked.headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    seen.lock().unwrap().push(asked.clone());
    let (status, headers, body) = answer(host, &asked);
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// `a=b&c=d`
pub(crate) fn pairs(text: &str) -> BTreeMap<String, String> {
    let unescape = |text: &str| text.replace('+', " ").replace("%3A", ":").replace("%2F", "/");
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), unescape(value))).collect()
}
