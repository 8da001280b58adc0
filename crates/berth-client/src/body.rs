//! Answers that come bit by bit: bytes, or one JSON object a line.

use std::marker::PhantomData;

use berth_api::decode;
use bytes::{Buf, Bytes, BytesMut};
use http::header;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::call::Answer;

/// An answer's bytes as they come. Dropping it ends the request.
#[derive(Debug)]
pub struct ByteStream {
    body: Incoming,
    multiplexed: bool,
}

impl ByteStream {
    pub(crate) fn new(answer: Answer) -> Self {
        let multiplexed = answer
            .response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes() == b"application/vnd.docker.multiplexed-stream");
        Self { body: answer.response.into_body(), multiplexed }
    }

    /// The daemon says that the bytes come in frames. Daemons before API 1.42 never say so.
    pub fn multiplexed(&self) -> bool {
        self.multiplexed
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some(Ok(data)),
                    _ => {}
                },
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

/// An answer of one JSON object a line.
#[derive(Debug)]
pub struct Lines<T> {
    bytes: ByteStream,
    path: String,
    pending: BytesMut,
    ended: bool,
    of: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    pub(crate) fn new(answer: Answer) -> Self {
        let path = answer.path.clone();
        Self { bytes: ByteStream::new(answer), path, pending: BytesMut::new(), ended: false, of: PhantomData }
    }

    /// The next object; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or a line is not what the API promises.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        loop {
            if let Some(line) = self.line() {
                return Some(
                    decode::from_slice(&line).map_err(|source| Error::Decode { path: self.path.clone(), source }),
                );
            }
            if self.ended {
                return None;
            }
            match self.bytes.next().await {
                Some(Ok(data)) => self.pending.extend_from_slice(&data),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => self.ended = true,
            }
        }
    }

    /// Takes the next line that is not blank; at the end, what is left.
    fn line(&mut self) -> Option<BytesMut> {
        loop {
            let line = match self.pending.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    let line = self.pending.split_to(end);
                    self.pending.advance(1);
                    line
                }
                None if self.ended && !self.pending.is_empty() => self.pending.split(),
                None => return None,
            };
            if !line.iter().all(u8::is_ascii_whitespace) {
                return Some(line);
            }
        }
    }
}
