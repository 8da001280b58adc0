//! Attach through a WebSocket (RFC 6455): what a container says goes out as messages, unframed and both streams
//! together; what messages say goes in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_connection::Stream as Connection;
use berth_engine::DetachKeys;
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, header};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::error::ApiError;
use super::stream::{self, ReadPart, WritePart};

/// What the specification appends to a client's key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A control message says no more.
const LONGEST_CONTROL: u64 = 125;

const BUFFER: usize = 64 << 10;

/// The head of the answer that opens a WebSocket.
///
/// # Errors
/// The request does not ask for one.
pub(crate) fn head(request: &HeaderMap) -> Result<Vec<u8>, ApiError> {
    let text = |name| request.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let key = text(header::SEC_WEBSOCKET_KEY);
    if !text(header::UPGRADE).eq_ignore_ascii_case("websocket") || key.is_empty() {
        return Err(ApiError::invalid(
            "not a WebSocket handshake: the request must say \"Upgrade: websocket\" and a key",
        ));
    }
    let version = text(header::SEC_WEBSOCKET_VERSION);
    if version != "13" {
        return Err(ApiError::invalid(format!("WebSocket version \"{version}\" is not supported: 13 is")));
    }
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()));
    Ok(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes())
}

/// How the two sides speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// What the container says comes in Docker's frames.
    pub(crate) framed: bool,
    /// Messages are binary; text for old clients.
    pub(crate) binary: bool,
}

/// Copies until either side is done; true: the client typed the detach keys.
pub(crate) async fn copy(
    client: &mut Connection,
    early: Bytes,
    stream: &mut UnixStream,
    stdin: bool,
    detach: Option<DetachKeys>,
    dialect: Dialect,
) -> bool {
    let (from_client, mut to_client) = stream::split(client);
    let (from_stream, to_stream) = stream.split();
    let (control, controls) = mpsc::channel(4);
    let input = Input { stream: Some(to_stream).filter(|_| stdin), detach, control, parser: Parser::default() };
    let detached = tokio::select! {
        () = output(from_stream, &mut to_client, controls, dialect) => false,
        detached = input.run(from_client, early) => detached,
    };
    // A client that is gone needs no goodbye. 1000: all is well.
    let _ = to_client.write_all(&[0x80 | CLOSE, 2, 0x03, 0xe8]).await;
    detached
}

/// Bytes as a message of their own.
pub(crate) fn wrapped(payload: &[u8], binary: bool) -> Bytes {
    let mut out = Vec::with_capacity(payload.len() + 10);
    message(&mut out, if binary { BINARY } else { TEXT }, payload);
    out.into()
}

fn message(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

async fn output(
    mut from: ReadHalf<'_>,
    to: &mut WritePart<'_>,
    mut controls: mpsc::Receiver<(u8, Vec<u8>)>,
    dialect: Dialect,
) {
    let (mut buffer, mut out, mut frames) = (vec![0; BUFFER], Vec::new(), Frames::default());
    let opcode = if dialect.binary { BINARY } else { TEXT };
    loop {
        out.clear();
        tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) if dialect.framed => {
                    frames.feed(&buffer[..length], |payload| message(&mut out, opcode, payload));
                }
                Ok(length) => message(&mut out, opcode, &buffer[..length]),
            },
            Some((opcode, payload)) = controls.recv() => message(&mut out, opcode, &payload),
        }
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// Takes Docker's frames apart.
#[derive(Debug, Default)]
struct Frames {
    head: Vec<u8>,
    left: usize,
}

impl Frames {
    fn feed(&mut self, mut bytes: &[u8], mut give: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(8 - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if let [_, _, _, _, length @ ..] = self.head.as_slice()
                    && let Ok(length) = length.try_into()
                {
                    self.left = u32::from_be_bytes(length) as usize;
                    self.head.clear();
                }
                continue;
            }
            let (payload, rest) = bytes.split_at(bytes.len().min(self.left));
            self.left -= payload.len();
            bytes = rest;
            give(payload);
        }
    }
}

struct Input<'a> {
    /// `None`: what the client says is dropped.
    stream: Option<WriteHalf<'a>>,
    detach: Option<DetachKeys>,
    control: mpsc::Sender<(u8, Vec<u8>)>,
    parser: Parser,
}

impl Input<'_> {
    /// Ends with the client, or when the detach keys are typed (true).
    async fn run(mut self, mut from: ReadPart<'_>, early: Bytes) -> bool {
        self.parser.bytes.extend_from_slice(&early);
        let mut buffer = vec![0; BUFFER];
        loop {
            while let Some(part) = self.parser.next() {
                match part {
                    Part::Data(data) => {
                        if self.pass(&data).await {
                            return true;
                        }
                    }
                    // While the client does not read there is no room; of several pings one may be answered for all.
                    Part::Control(PING, payload) => drop(self.control.try_send((PONG, payload))),
                    Part::Control(CLOSE, _) | Part::Nonsense => return false,
                    Part::Control(..) => {}
                }
            }
            match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return false,
                Ok(length) => self.parser.bytes.extend_from_slice(&buffer[..length]),
            }
        }
    }

    async fn pass(&mut self, data: &[u8]) -> bool {
        let (data, detached) = match &mut self.detach {
            Some(keys) => keys.scan(data),
            None => (data.to_vec(), false),
        };
        if let Some(stream) = &mut self.stream
            && stream.write_all(&data).await.is_err()
        {
            self.stream = None;
        }
        detached
    }
}

/// What a client's bytes say.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Some of a message.
    Data(BytesMut),
    Control(u8, Vec<u8>),
    /// No WebSocket, or one that does not mask.
    Nonsense,
}

#[derive(Debug, Default)]
struct Parser {
    bytes: BytesMut,
    /// Of the message being read: what is left, its mask, and where in the mask it stands.
    open: Option<(u64, [u8; 4], usize)>,
}

impl Parser {
    fn next(&mut self) -> Option<Part> {
        loop {
            if let Some((left, mask, at)) = &mut self.open {
                if *left == 0 {
                    self.open = None;
                    continue;
                }
                let length = self.bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                if length == 0 {
                    return None;
                }
                let mut data = self.bytes.split_to(length);
                unmask(&mut data, *mask, *at);
                *left -= length as u64;
                *at = (*at + length) % 4;
                return Some(Part::Data(data));
            }
            let (opcode, length, mask, size) = match header_of(&self.bytes)? {
                Ok(header) => header,
                Err(()) => return Some(Part::Nonsense),
            };
            if opcode < CLOSE {
                self.bytes.advance(size);
                self.open = Some((length, mask, 0));
                continue;
            }
            let length = usize::try_from(length).ok().filter(|length| *length as u64 <= LONGEST_CONTROL);
            let Some(length) = length else { return Some(Part::Nonsense) };
            if self.bytes.len() < size + length {
                return None;
            }
            self.bytes.advance(size);
            let mut payload = self.bytes.split_to(length).to_vec();
            unmask(&mut payload, mask, 0);
            return Some(Part::Control(opcode, payload));
        }
    }
}

fn unmask(data: &mut [u8], mask: [u8; 4], at: usize) {
    for (byte, key) in data.iter_mut().zip(mask.iter().cycle().skip(at)) {
        *byte ^= key;
    }
}

/// Opcode, payload's length, mask, and the header's own length.
type Header = (u8, u64, [u8; 4], usize);

/// `None`: not all of it is here; an error: it is none.
fn header_of(bytes: &[u8]) -> Option<Result<Header, ()>> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Some(Err(()));
    }
    let (length, at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        length => (length.into(), 2),
    };
    let mask = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(Ok((first & 0x0f, length, mask, at + 4)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut out = Vec::new();
        message(&mut out, opcode, payload);
        let at = out.len() - payload.len();
        out[1] |= 0x80;
        unmask(&mut out[at..], mask, 0);
        out.splice(at..at, mask);
        out
    }

    #[test]
    fn the_specification_s_own_handshake() {
        let mut request = HeaderMap::new();
        assert!(head(&request).is_err());
        request.insert("upgrade", "websocket".parse().unwrap());
        request.insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        request.insert("sec-websocket-version", "13".parse().unwrap());
        let head = String::from_utf8(head(&request).unwrap()).unwrap();
        assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    }

    #[test]
    fn messages_of_any_length_cut_anywhere() {
        for length in [0, 1, 125, 126, 70_000] {
            let text: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let wire = [masked(BINARY, &text), masked(PING, b"p"), masked(0, b"more")].concat();
            for cut in [1, 7, 1000, wire.len()] {
                let (mut parser, mut data, mut pings) = (Parser::default(), Vec::new(), 0);
                for piece in wire.chunks(cut) {
                    parser.bytes.extend_from_slice(piece);
                    while let Some(part) = parser.next() {
                        match part {
                            Part::Data(part) => data.extend_from_slice(&part),
                            part => {
                                assert_eq!(part, Part::Control(PING, b"p".to_vec()));
                                pings += 1;
                            }
                        }
                    }
                }
                assert_eq!((data.len(), pings), (length + 4, 1), "{length} by {cut}");
                assert!(data.starts_with(&text) && data.ends_with(b"more"));
            }
        }
    }

    #[test]
    fn what_is_no_websocket_is_told() {
        for bytes in [&b"\x82\x01a"[..], b"GET / HTTP/1.1", b"\x88\xfe\xff\xff\0\0\0\0"] {
            let mut parser = Parser::default();
            parser.bytes.extend_from_slice(bytes);
            assert_eq!(parser.next(), Some(Part::Nonsense));
        }
    }

    #[test]
    fn docker_s_frames_are_taken_apart_wherever_they_are_cut() {
        let wire = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x00\x02\0\0\0\0\0\0\x03err";
        for cut in 1..wire.len() {
            let (mut frames, mut text) = (Frames::default(), Vec::new());
            for piece in wire.chunks(cut) {
                frames.feed(piece, |payload| text.extend_from_slice(payload));
            }
            assert_eq!(text, b"outerr", "{cut}");
        }
    }
}
