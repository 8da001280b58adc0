//! Answers: JSON, streams, nothing; and the headers that every answer of the API bears.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use berth_api::ApiVersion;
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use serde::{Serialize, Serializer};

/// What a handler gives back.
pub(crate) type Answer = Response<Content>;

/// `Server`, which clients show and some look into.
pub(crate) const SERVER: &str = concat!("berth/", env!("CARGO_PKG_VERSION"), " (linux)");

/// An answer's body.
pub(crate) enum Content {
    /// All of it.
    Whole(Option<Bytes>),
    /// As it comes. Dropped when the client goes.
    Parts(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
    /// As it comes; an error breaks the connection off, so that nobody takes the part for the whole.
    Fallible(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Fallible(stream) => {
                stream.as_mut().poll_next(cx).map(|part| part.map(|bytes| bytes.map(Frame::data)))
            }
            Self::Parts(stream) => stream.as_mut().poll_next(cx).map(|part| part.map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Parts(_) | Self::Fallible(_) => SizeHint::default(),
        }
    }
}

/// A status and nothing else.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Content::Whole(None));
    *answer.status_mut() = status;
    answer
}

/// A JSON document.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    // The wire types have string keys only, so writing them cannot fail.
    document(status, serde_json::to_vec(value).unwrap_or_default())
}

/// A JSON array, of which each item is made only when it is written: a long list need not be in memory twice.
pub(crate) fn list<T: Serialize>(items: impl Iterator<Item = T>) -> Answer {
    let mut text = Vec::new();
    let written = serde_json::Serializer::new(&mut text).collect_seq(items);
    // As above.
    document(StatusCode::OK, written.map(|()| text).unwrap_or_default())
}

fn document(status: StatusCode, mut text: Vec<u8>) -> Answer {
    text.push(b'\n');
    let mut answer = Response::new(Content::Whole(Some(Bytes::from(text))));
    *answer.status_mut() = status;
    set_type(&mut answer, "application/json");
    answer
}

/// Bytes as they come.
pub(crate) fn stream(kind: &'static str, parts: impl Stream<Item = Bytes> + Send + 'static) -> Answer {
    let mut answer = Response::new(Content::Parts(Box::pin(parts)));
    set_type(&mut answer, kind);
    answer
}

/// Bytes as they come, if they do.
pub(crate) fn fallible(kind: &'static str, parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Answer {
    let mut answer = Response::new(Content::Fallible(Box::pin(parts)));
    set_type(&mut answer, kind);
    answer
}

/// One object as a line of a stream.
pub(crate) fn line<T: Serialize>(value: &T) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.extend_from_slice(b"\r\n");
    Bytes::from(text)
}

pub(crate) fn set_type(answer: &mut Answer, kind: &'static str) {
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
}

/// The headers that every answer bears.
pub(crate) fn sign(answer: &mut Answer) {
    for (name, value) in SIGNATURE {
        answer.headers_mut().insert(*name, HeaderValue::from_static(value));
    }
}

/// In lower case, as hyper wants them; they are written as `Api-Version`, which is what scripts look for.
pub(crate) const SIGNATURE: &[(&str, &str)] =
    &[("api-version", MAX_VERSION), ("docker-experimental", "false"), ("ostype", "linux"), ("server", SERVER)];

/// [`ApiVersion::MAX`] as text; a test holds the two together.
const MAX_VERSION: &str = "1.51";

/// Fails the build where the text above is not the newest version.
const _: () = assert!(ApiVersion::MAX.major == 1 && ApiVersion::MAX.minor == 51);
