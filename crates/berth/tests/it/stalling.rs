//! A registry that stops in the middle of a layer, and the pull that goes on from there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_fixtures::{Entry, Image, Layout, PATH, layer};
use serde_json::{Value, json};

use crate::host::Host;
use crate::killed::noise;

/// A registry that stops in the middle of its image's large layer, until it is told to go on.
pub(crate) struct Stalling {
    host: String,
    well: Arc<AtomicBool>,
    /// From which byte on the large layer was asked for.
    asked: Arc<Mutex<Vec<u64>>>,
}

/// So much of the large layer is sent at first.
pub(crate) const FIRST: usize = 700_000;

impl Stalling {
    pub(crate) fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut layout = Layout::create(root.path());
        let large = layer(vec![Entry::File("large", 0o644, noise(3, 2_000_000))]);
        let layers = [berth_fixtures::busybox(), large];
        layout.image("app:latest", &Image::new(&layers, json!({"Env": [PATH], "Cmd": ["sh"]})));
        layout.finish();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (well, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
        let (repaired, log, root) = (well.clone(), asked.clone(), Arc::new(root));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (repaired, log, root) = (repaired.clone(), log.clone(), root.clone());
                std::thread::spawn(move || drop(serve(stream, root.path(), &repaired, &log)));
            }
        });
        Self { host, well, asked }
    }

    pub(crate) fn image(&self) -> String {
        format!("{}/app:latest", self.host)
    }
}

/// One request; then the connection ends.
fn serve(mut stream: TcpStream, root: &Path, well: &AtomicBool, asked: &Mutex<Vec<u64>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut from = 0;
    for header in lines {
        let header = header?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let path = line.split(' ').nth(1).unwrap_or_default();
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json"))?)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    let digest = if name == "latest" { index["manifests"][0]["digest"].as_str().unwrap() } else { name };
    let Ok(bytes) = fs::read(root.join("blobs").join(digest.replace(':', "/"))) else {
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    };
    let (status, rest) = if from == 0 { ("200 OK", &bytes[..]) } else { ("206 Partial Content", &bytes[from..]) };
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
    let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    let more = format!("Docker-Content-Digest: {digest}\r\n{}", if from == 0 { kind } else { &range });
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n", rest.len());
    stream.write_all(head.as_bytes())?;
    if line.starts_with("HEAD") {
        return Ok(());
    }
    if bytes.len() > 2 * FIRST && path.contains("/blobs/") {
        asked.lock().unwrap().push(from as u64);
        if !well.load(Ordering::Relaxed) {
            stream.write_all(&rest[..FIRST])?;
            while !well.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            return Ok(());
        }
    }
    stream.write_all(rest)
}

/// Bytes of the one blob that is not whole.
pub(crate) fn partial(host: &Host) -> u64 {
    let entries = fs::read_dir(host.daemon().data_root().join("content/partial")).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |found| found.len())).sum()
}

/// Lets the registry go on, pulls again, and expects that nothing is asked for twice.
pub(crate) fn goes_on(host: &Host, registry: &Stalling) {
    let had = partial(host);
    assert!(host.try_run(&["images", "-q"]).out.is_empty(), "half an image is none");
    registry.asked.lock().unwrap().clear();
    registry.well.store(true, Ordering::Relaxed);
    host.run(&["pull", &registry.image()]);
    assert_eq!(*registry.asked.lock().unwrap(), [had]);
    assert_eq!(partial(host), 0);
    assert_eq!(host.run(&["run", "--rm", &registry.image(), "wc", "-c", "/large"]), "2000000 /large");
}
