//! A container's log as bytes: frames, or raw text where there is a terminal.

use std::pin::Pin;
use std::task::{Context, Poll};

use berth_api::ApiVersion;
use berth_engine::{LogEntry, LogOptions, LogStream, OutputStream};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::Stream;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::time;

/// Entries are gathered up to this size where they are there already.
const BATCH: usize = 32 << 10;

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
    pub(crate) fn plain(tty: bool) -> Self {
        Self { framed: !tty, timestamps: false, details: false }
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
    };
    if !options.stdout && !options.stderr {
        return Err(ApiError::invalid("Bad parameters: you must choose at least one stream"));
    }
    let containers = call.daemon.engine.containers();
    let tty = containers.inspect(call.name())?.spec.process.tty;
    let entries = containers.logs(call.name(), options).await?;
    let shape = Shape { framed: !tty, timestamps: query.flag("timestamps"), details: query.flag("details") };
    let kind = match shape.framed && call.version >= ApiVersion::new(1, 42) {
        true => "application/vnd.docker.multiplexed-stream",
        false => "application/vnd.docker.raw-stream",
    };
    Ok(answer::stream(kind, bytes(entries, shape)))
}

/// The entries as bytes; what is there is sent together. A log that cannot be read further ends with a sentence.
pub(crate) fn bytes(entries: LogStream, shape: Shape) -> impl Stream<Item = Bytes> + Send {
    LogBytes { entries, shape, ended: false }
}

struct LogBytes {
    entries: LogStream,
    shape: Shape,
    ended: bool,
}

impl Stream for LogBytes {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = self.get_mut();
        let mut batch = BytesMut::new();
        while !this.ended && batch.len() < BATCH {
            match this.entries.poll_next(cx) {
                Poll::Ready(Some(Ok(entry))) => write(&mut batch, &entry, this.shape),
                Poll::Ready(Some(Err(error))) => {
                    this.ended = true;
                    let text = format!("Error grabbing logs: {}\n", error.chain());
                    frame(&mut batch, 2, &[text.as_bytes()], this.shape.framed);
                }
                Poll::Ready(None) => this.ended = true,
                Poll::Pending if batch.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready((!batch.is_empty()).then(|| batch.freeze()))
    }
}

fn write(batch: &mut BytesMut, entry: &LogEntry, shape: Shape) {
    let stream = match entry.stream {
        OutputStream::Stdout => 1,
        OutputStream::Stderr => 2,
    };
    let time = if shape.timestamps { format!("{} ", nine_digits(&entry.time)) } else { String::new() };
    let details = if shape.details { details(entry) } else { String::new() };
    frame(batch, stream, &[time.as_bytes(), details.as_bytes(), entry.text.as_bytes()], shape.framed);
}

/// Writes one frame: stream, three zero bytes, length, data.
pub(crate) fn frame(batch: &mut BytesMut, stream: u8, parts: &[&[u8]], framed: bool) {
    if framed {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        batch.put_slice(&[stream, 0, 0, 0]);
        batch.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    }
    for part in parts {
        batch.put_slice(part);
    }
}

/// `name=value,… ` in order, escaped as in a query.
fn details(entry: &LogEntry) -> String {
    let pairs: Vec<String> = entry.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} ", pairs.join(","))
}

/// A time with all nine digits of its fraction, so that columns line up.
fn nine_digits(time: &str) -> String {
    let Some(bare) = time.strip_suffix('Z') else { return time.to_owned() };
    let (seconds, fraction) = bare.split_once('.').unwrap_or((bare, ""));
    format!("{seconds}.{fraction:0<9}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_framed_and_stamped() {
        let entry = LogEntry {
            stream: OutputStream::Stderr,
            time: "2026-01-02T03:04:05.06Z".into(),
            text: "x\n".into(),
            attributes: [("a".to_owned(), "b".to_owned())].into(),
        };
        let mut batch = BytesMut::new();
        write(&mut batch, &entry, Shape { framed: true, timestamps: true, details: true });
        assert_eq!(&batch[..8], [2, 0, 0, 0, 0, 0, 0, 37]);
        assert_eq!(&batch[8..], b"2026-01-02T03:04:05.060000000Z a=b x\n");
        let mut raw = BytesMut::new();
        write(&mut raw, &entry, Shape::plain(true));
        assert_eq!(&raw[..], b"x\n");
        assert_eq!(nine_digits("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000000000Z");
    }
}
