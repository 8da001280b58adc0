//! A proxy as companies have it: `CONNECT` for TLS, whole URLs for the rest, a name and a password if it is told so. It
//! knows its hosts by itself: names that nobody resolves lead to registries of the test.

use std::io::{BufRead, BufReader, Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It works until this process ends.
pub(crate) struct ForwardProxy {
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// A host of the world, and the address where it really is.
    hosts: Vec<(&'static str, String)>,
    /// What `Proxy-Authorization` has to be.
    wanted: Option<&'static str>,
    seen: Mutex<Vec<String>>,
}

impl ForwardProxy {
    pub(crate) fn start(hosts: Vec<(&'static str, String)>, wanted: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared { hosts, wanted, seen: Mutex::default() });
        let ours = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // Whoever hangs up early is no failure of ours.
                std::thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { host, shared: ours }
    }

    /// The first lines of all requests so far, in order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Shared {
    /// One request, or one tunnel; then the connection ends.
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut input = BufReader::new(client.try_clone()?);
        let (mut line, mut headers, mut proof) = (String::new(), String::new(), None);
        input.read_line(&mut line)?;
        loop {
            let mut header = String::new();
            input.read_line(&mut header)?;
            let (name, value) = header.split_once(": ").unwrap_or(("", ""));
            match name.to_ascii_lowercase().as_str() {
                "" => break,
                "proxy-authorization" => proof = Some(value.trim().to_owned()),
                "connection" | "proxy-connection" => {}
                _ => headers += &header,
            }
        }
        self.seen.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1\r\n").to_owned());
        if self.wanted.is_some_and(|wanted| proof.as_deref() != Some(wanted)) {
            let refusal = "Proxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return client.write_all(format!("HTTP/1.1 407 Proxy Authentication Required\r\n{refusal}").as_bytes());
        }
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let whole = target.strip_prefix("http://").unwrap_or(target);
        let (authority, path) = whole.split_at(whole.find('/').unwrap_or(whole.len()));
        let name = authority.split(':').next().unwrap_or_default();
        let Some((_, address)) = self.hosts.iter().find(|(host, _)| *host == name) else {
            return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        let mut server = TcpStream::connect(address)?;
        match method {
            "CONNECT" => client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?,
            _ => {
                let head = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
                server.write_all(head.as_bytes())?;
            }
        }
        join(input, client, server)
    }
}

/// Both ways at once, until the server has said everything or the client has gone.
fn join(mut from_client: impl Read + Send + 'static, mut client: TcpStream, server: TcpStream) -> std::io::Result<()> {
    let (mut to_server, mut from_server) = (server.try_clone()?, server);
    let sending = std::thread::spawn(move || {
        drop(copy(&mut from_client, &mut to_server));
        drop(to_server.shutdown(Shutdown::Write));
    });
    drop(copy(&mut from_server, &mut client));
    drop(client.shutdown(Shutdown::Both));
    drop(sending.join());
    Ok(())
}
