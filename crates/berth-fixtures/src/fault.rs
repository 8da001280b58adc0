//! A registry on a bad day: a proxy before a real one that breaks off, lies, dawdles, and sends elsewhere.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with one request. Numbers count bytes of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before there is an answer.
    HangUp,
    /// This status instead of an answer.
    Status(u16),
    /// 429, with so many seconds in `Retry-After`.
    TooMany(u32),
    /// The registry does what it is asked to, and nobody hears of it.
    LoseAnswer,
    /// The connection ends within the answer.
    CutAnswer(usize),
    /// The connection ends within the request.
    CutRequest(usize),
    /// One byte is another.
    Flip(usize),
    /// The last bytes are missing, and the length says so.
    Short(usize),
    /// There are more bytes, and the length says so.
    Long(usize),
    /// One byte each so often.
    Drip(Duration),
    /// The same path at another host.
    Redirect(String),
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET /v2/…`
    pub line: String,
    /// All of it, lower-case names.
    pub headers: Vec<(String, String)>,
}

impl Seen {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The proxy; it runs until this process ends.
#[derive(Debug)]
pub struct FaultProxy {
    /// `127.0.0.1:PORT`
    pub host: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    planned: Mutex<Vec<Planned>>,
    seen: Mutex<Vec<Seen>>,
    /// The `Authorization` that everybody has to show.
    wanted: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Planned {
    part: String,
    fault: Fault,
    times: usize,
}

impl FaultProxy {
    /// Before the registry at `upstream` (`127.0.0.1:PORT`); well-behaved until told otherwise.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            planned: Mutex::default(),
            seen: Mutex::default(),
            wanted: Mutex::default(),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = serving.clone();
                // Connections break here, that is the purpose.
                std::thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self { host, shared }
    }

    /// So many of the next requests whose line (`GET /v2/…`) has `part` in it go wrong like this.
    pub fn plan(&self, part: &str, fault: Fault, times: usize) {
        self.shared.planned.lock().unwrap().push(Planned { part: part.to_owned(), fault, times });
    }

    /// From now on whoever does not show this `Authorization` is asked for name and password.
    pub fn guard(&self, authorization: &str) {
        *self.shared.wanted.lock().unwrap() = Some(authorization.to_owned());
    }

    /// Whatever was planned and has not happened will not.
    pub fn behave(&self) {
        self.shared.planned.lock().unwrap().clear();
    }

    /// Every request so far whose line has `part` in it.
    #[must_use]
    pub fn seen(&self, part: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|request| request.line.contains(part)).cloned().collect()
    }
}

impl Shared {
    /// One request; then the connection ends.
    fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        let mut from_client = BufReader::new(client.try_clone()?);
        let mut client = client;
        let Some((line, headers)) = head(&mut from_client)? else { return Ok(()) };
        let request = line.trim_end_matches(" HTTP/1.1").to_owned();
        self.seen.lock().unwrap().push(Seen { line: request.clone(), headers: headers.clone() });
        let shown = headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.clone());
        let wanted = self.wanted.lock().unwrap().clone();
        if wanted.is_some() && wanted != shown {
            return refuse(&mut from_client, client, &headers, 401, "WWW-Authenticate: Basic realm=\"tests\"\r\n");
        }
        let fault = self.fault(&request);
        match &fault {
            Some(Fault::HangUp) => return client.shutdown(Shutdown::Both),
            Some(Fault::Status(status)) => return refuse(&mut from_client, client, &headers, *status, ""),
            Some(Fault::TooMany(seconds)) => {
                let more = format!("Retry-After: {seconds}\r\n");
                return refuse(&mut from_client, client, &headers, 429, &more);
            }
            Some(Fault::Redirect(host)) => {
                let path = request.split_once(' ').map_or("", |(_, path)| path);
                let more = format!("Location: http://{host}{path}\r\n");
                return refuse(&mut from_client, client, &headers, 307, &more);
            }
            _ => {}
        }
        let mut upstream = TcpStream::connect(&self.upstream)?;
        let mut text = format!("{line}\r\nConnection: close\r\n");
        for (name, value) in headers.iter().filter(|(name, _)| name != "connection") {
            text += &format!("{name}: {value}\r\n");
        }
        upstream.write_all((text + "\r\n").as_bytes())?;
        let mut body = (&mut from_client).take(length(&headers).unwrap_or(0));
        if let Some(Fault::CutRequest(at)) = &fault {
            std::io::copy(&mut body.take(*at as u64), &mut upstream)?;
            upstream.shutdown(Shutdown::Both)?;
            return client.shutdown(Shutdown::Both);
        }
        std::io::copy(&mut body, &mut upstream)?;
        answer(&request, BufReader::new(upstream), &mut client, fault)
    }

    fn fault(&self, request: &str) -> Option<Fault> {
        let mut planned = self.planned.lock().unwrap();
        let found = planned.iter_mut().find(|one| one.times > 0 && request.contains(&one.part))?;
        found.times -= 1;
        Some(found.fault.clone())
    }
}

/// Hands an answer on, with what is wrong with it.
fn answer(
    request: &str,
    mut upstream: BufReader<TcpStream>,
    client: &mut TcpStream,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let Some((line, headers)) = head(&mut upstream)? else { return Ok(()) };
    let mut body = Vec::new();
    if !request.starts_with("HEAD ") {
        upstream.read_to_end(&mut body)?;
    }
    let mut cut = None;
    match fault {
        Some(Fault::LoseAnswer) => return client.shutdown(Shutdown::Both),
        Some(Fault::Flip(at)) => {
            let at = at.min(body.len().saturating_sub(1));
            body.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
        }
        Some(Fault::Short(by)) => body.truncate(body.len().saturating_sub(by)),
        Some(Fault::Long(by)) => body.resize(body.len() + by, b'x'),
        Some(Fault::CutAnswer(at)) => cut = Some(at.min(body.len())),
        _ => {}
    }
    let announced = if request.starts_with("HEAD ") { length(&headers) } else { Some(body.len() as u64) };
    let mut text = format!("{line}\r\nConnection: close\r\n");
    for (name, value) in headers.iter().filter(|(n, _)| !["connection", "content-length"].contains(&n.as_str())) {
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(announced) = announced {
        text += &format!("content-length: {announced}\r\n");
    }
    client.write_all((text + "\r\n").as_bytes())?;
    match fault {
        Some(Fault::Drip(pause)) => body.chunks(1).try_for_each(|byte| {
            std::thread::sleep(pause);
            client.write_all(byte)
        }),
        _ => client.write_all(&body[..cut.unwrap_or(body.len())]),
    }
}

/// An answer that the registry knows nothing of; what the client still sends is read first.
fn refuse(
    from_client: &mut BufReader<TcpStream>,
    mut client: TcpStream,
    headers: &[(String, String)],
    status: u16,
    more: &str,
) -> std::io::Result<()> {
    std::io::copy(&mut from_client.take(length(headers).unwrap_or(0)), &mut std::io::sink())?;
    let text = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n");
    client.write_all(text.as_bytes())
}

/// The first line, and the headers in lower case.
type Head = (String, Vec<(String, String)>);

fn head(input: &mut BufReader<TcpStream>) -> std::io::Result<Option<Head>> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        input.read_line(&mut header)?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Ok(Some((line.trim_end().to_owned(), headers))),
        }
    }
}

fn length(headers: &[(String, String)]) -> Option<u64> {
    headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()
}
