//! A registry that answers what a test wants it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use berth_oci::{Digest, media};

use crate::fixture::Image;

/// A request's head.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What is answered; a body shorter than its `Content-Length` is a connection that breaks.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) length: Option<usize>,
    /// Between two bytes.
    pub(crate) drip: Option<std::time::Duration>,
}

impl Response {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), length: None, drip: None }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// One byte each so often.
    pub(crate) fn dripping(mut self, pause: std::time::Duration) -> Self {
        self.drip = Some(pause);
        self
    }

    pub(crate) fn announcing(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }
}

pub(crate) struct Mock {
    pub(crate) address: String,
    pub(crate) seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Mock {
    pub(crate) fn new(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (seen, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (log, stopped, answer) = (seen.clone(), stop.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (log, answer) = (log.clone(), answer.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &log, &*answer));
            }
        });
        Self { address, seen, stop }
    }

    /// A registry with one image under every tag, whose answers a test may change.
    pub(crate) fn of(image: &Image, change: impl Fn(&Request, Response) -> Response + Send + Sync + 'static) -> Self {
        let image = image.clone();
        Self::new(move |request| change(request, serve_image(&image, request)))
    }

    pub(crate) fn requests(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|r| r.path.contains(part)).count()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(&self.address));
    }
}

pub(crate) fn serve_image(image: &Image, request: &Request) -> Response {
    let last = request.path.rsplit('/').next().unwrap();
    if request.path.contains("/manifests/") {
        let digest = Digest::of(&image.manifest);
        let there = !last.starts_with("sha256:") || last == digest.as_str();
        return match there {
            true => Response::new(200, image.manifest.clone())
                .with("Content-Type", media::OCI_MANIFEST)
                .with("Docker-Content-Digest", digest.as_str()),
            false => Response::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#),
        };
    }
    let mut blobs = image.blobs.iter().chain([&image.config]);
    match blobs.find(|b| Digest::of(b).as_str() == last) {
        Some(blob) => ranged(request, blob),
        None => Response::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#),
    }
}

fn ranged(request: &Request, blob: &[u8]) -> Response {
    let from = request.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        Some(from) if from >= blob.len() => Response::new(416, ""),
        Some(from) => Response::new(206, &blob[from..]),
        None => Response::new(200, blob),
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Response) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
        let mut words = line.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            match header.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
                None => break,
            }
        }
        let length = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
        let length: usize = length.and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
        std::io::copy(&mut std::io::Read::take(&mut reader, length as u64), &mut std::io::sink()).ok()?;
        let request = Request { method, path, headers };
        log.lock().unwrap().push(request.clone());
        let response = answer(&request);
        let announced = response.length.unwrap_or(response.body.len());
        let mut head = format!("HTTP/1.1 {} x\r\nContent-Length: {announced}\r\n", response.status);
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        if request.method != "HEAD" {
            match response.drip {
                None => stream.write_all(&response.body).ok()?,
                Some(pause) => response.body.chunks(1).try_for_each(|byte| {
                    std::thread::sleep(pause);
                    stream.write_all(byte).ok()
                })?,
            }
            if announced != response.body.len() {
                return None;
            }
        }
    }
}
