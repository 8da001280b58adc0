//! A container's log as bytes: frames, or raw text where there is a terminal.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use berth_api::ApiVersion;
use berth_engine::{Containers, LogEntry, LogOptions, LogStream, OutputStream, Render};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::Stream;
use http::HeaderValue;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::time;

/// Tells a client that its pattern (ours, not Docker's) was understood: other daemons would ignore it.
const FILTERED: &str = "berth-log-filter";

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// With frames.
    pub(crate) framed: bool,
    pub(crate) timestamps: bool,
    pub(crate) details: bool,
}

impl Shape {
    /// Only the text, as attach shows it.
    pub(crate) fn plain(framed: bool) -> Self {
        Self { framed, timestamps: false, details: false }
    }

    fn render(self) -> Render {
        Arc::new(move |entry, out| write(out, entry, self))
    }
}

/// `GET /containers/{name}/logs`
pub(crate) async fn logs(call: Call) -> Result<Answer, ApiError> {
    let query = &call.query;
    let options = LogOptions {
        follow: query.flag("follow"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        since: time::bound(query.text("since"))?,
        until: time::bound(query.text("until"))?,
        // Anything that is no number means all, as in Docker.
        tail: query.text("tail").parse().ok(),
        grep: Some(query.text("grep").to_owned()).filter(|pattern| !pattern.is_empty()),
    };
    if !options.stdout && !options.stderr {
        return Err(ApiError::invalid("Bad parameters: you must choose at least one stream"));
    }
    let filtered = options.grep.is_some();
    let containers = call.daemon.engine.containers();
    let tty = containers.inspect(call.name())?.spec.process.tty;
    let shape = Shape { framed: !tty, timestamps: query.flag("timestamps"), details: query.flag("details") };
    let parts = read(&containers, call.name(), options, shape).await?;
    let kind = match shape.framed && call.version >= ApiVersion::new(1, 42) {
        true => "application/vnd.docker.multiplexed-stream",
        false => "application/vnd.docker.raw-stream",
    };
    let mut answer = answer::stream(kind, parts);
    if filtered {
        answer.headers_mut().insert(FILTERED, HeaderValue::from_static("grep"));
    }
    Ok(answer)
}

/// A log as bytes. One that cannot be read further ends with a sentence.
pub(crate) async fn read(
    containers: &Containers,
    name: &str,
    options: LogOptions,
    shape: Shape,
) -> Result<impl Stream<Item = Bytes> + Send + use<>, ApiError> {
    let entries = containers.logs(name, options, shape.render()).await?;
    Ok(LogBytes { entries, framed: shape.framed })
}

struct LogBytes {
    entries: LogStream,
    framed: bool,
}

impl Stream for LogBytes {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        this.entries.poll_next(cx).map(|batch| {
            Some(match batch? {
                Ok(bytes) => bytes.into(),
                Err(error) => {
                    let text = format!("Error grabbing logs: {}\n", error.chain());
                    let mut out = BytesMut::new();
                    frame(&mut out, 2, &[text.as_bytes()], this.framed);
                    out.freeze()
                }
            })
        })
    }
}

fn write(batch: &mut Vec<u8>, entry: &LogEntry<'_>, shape: Shape) {
    let stream = match entry.stream {
        OutputStream::Stdout => 1,
        OutputStream::Stderr => 2,
    };
    let time = if shape.timestamps { entry.stamp() + " " } else { String::new() };
    let details = if shape.details { details(entry) } else { String::new() };
    frame(batch, stream, &[time.as_bytes(), details.as_bytes(), &entry.text], shape.framed);
}

/// Writes one frame: stream, three zero bytes, length, data.
pub(crate) fn frame(batch: &mut impl BufMut, stream: u8, parts: &[&[u8]], framed: bool) {
    if framed {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        batch.put_slice(&[stream, 0, 0, 0]);
        batch.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    }
    for part in parts {
        batch.put_slice(part);
    }
}

/// `name=value,… ` in order, each escaped as in a query.
fn details(entry: &LogEntry<'_>) -> String {
    let pairs = entry.attributes();
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    format!("{} ", pairs.join(","))
}

/// As Go's `url.QueryEscape`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_details() {
        let mut batch = Vec::new();
        frame(&mut batch, 2, &[b"a ", b"x\n"], true);
        assert_eq!(batch, b"\x02\0\0\0\0\0\0\x04a x\n");
        let mut raw = Vec::new();
        frame(&mut raw, 2, &[b"x\n"], false);
        assert_eq!(raw, b"x\n");
        assert_eq!(escaped("a b/c=d,é-1"), "a+b%2Fc%3Dd%2C%C3%A9-1");
    }
}
