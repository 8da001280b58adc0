//! A blob on its way, which goes on where it broke.

use std::sync::Arc;
use std::time::Duration;

use berth_oci::Digest;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use reqwest::Response;

use crate::Error;
use crate::request::{Session, backoff, transport};

/// Breaks in a row, without a byte between them, after which there is no hope.
const MAX_BREAKS: u32 = 5;

/// Something of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes.
    Bytes(Bytes),
    /// The transfer broke; it goes on from where it was after this pause, which the next call makes.
    Pause(Duration),
}

/// A blob on its way.
#[derive(Debug)]
pub struct Blob {
    session: Arc<Session>,
    path: String,
    digest: Digest,
    size: u64,
    received: u64,
    response: Option<Response>,
    /// Bytes that a server sends again because it knows no ranges.
    skip: u64,
    breaks: u32,
    pause: Option<Duration>,
}

impl Blob {
    pub(crate) fn begin(
        session: Arc<Session>,
        path: String,
        digest: Digest,
        size: u64,
        from: u64,
        response: Response,
    ) -> Result<Self, Error> {
        let skip = skip(&response, from)?;
        let before = from - skip;
        if let Some(length) = response.content_length().map(|l| l + before).filter(|&l| l != size) {
            return Err(Error::Verification(format!("{digest} should have {size} bytes, the registry has {length}")));
        }
        let response = Some(response);
        Ok(Self { session, path, digest, size, received: from, response, skip, breaks: 0, pause: None })
    }

    /// The next bytes, or a pause before them; `None` when all have come.
    ///
    /// # Errors
    /// [`Error::Verification`] when more come than promised, or what stopped the transfer for good.
    pub async fn next(&mut self) -> Result<Option<Piece>, Error> {
        if let Some(pause) = self.pause.take() {
            tokio::time::sleep(pause).await;
        }
        loop {
            let Some(response) = &mut self.response else {
                if self.received == self.size {
                    return Ok(None);
                }
                self.reopen().await?;
                continue;
            };
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    if let Some(bytes) = self.take(bytes)? {
                        return Ok(Some(Piece::Bytes(bytes)));
                    }
                }
                Ok(None) if self.received == self.size => return Ok(None),
                Ok(None) => {
                    let reason = format!("the connection ended after {} of {} bytes", self.received, self.size);
                    return self.broken(reason).map(Some);
                }
                Err(error) => {
                    let Error::Transport { reason, .. } = transport(&Method::GET, "", &error) else {
                        return Err(Error::Malformed(error.to_string()));
                    };
                    return self.broken(reason).map(Some);
                }
            }
        }
    }

    fn take(&mut self, mut bytes: Bytes) -> Result<Option<Bytes>, Error> {
        let skipped = self.skip.min(bytes.len() as u64);
        self.skip -= skipped;
        let bytes = bytes.split_off(skipped as usize);
        if bytes.is_empty() {
            return Ok(None);
        }
        self.received += bytes.len() as u64;
        if self.received > self.size {
            let (digest, size) = (&self.digest, self.size);
            return Err(Error::Verification(format!("{digest} should have {size} bytes, but more came")));
        }
        self.breaks = 0;
        Ok(Some(bytes))
    }

    fn broken(&mut self, reason: String) -> Result<Piece, Error> {
        self.response = None;
        self.breaks += 1;
        if self.breaks >= MAX_BREAKS {
            let url = self.session.endpoint.url(&self.path);
            return Err(Error::Transport { method: "Get", url, reason, wrong_scheme: false });
        }
        let pause = backoff(self.breaks - 1);
        tracing::debug!(digest = %self.digest, received = self.received, reason, "a transfer broke");
        self.pause = Some(pause);
        Ok(Piece::Pause(pause))
    }

    async fn reopen(&mut self) -> Result<(), Error> {
        let response = match self.session.send(Method::GET, &self.path, &range(self.received)).await {
            // There is no more than came already: the registry's blob is too short.
            Err(Error::Status { status: 416, .. } | Error::Registry { status: 416, .. }) => {
                let (digest, size, received) = (&self.digest, self.size, self.received);
                return Err(Error::Verification(format!("{digest} should have {size} bytes, but {received} came")));
            }
            response => response?,
        };
        self.skip = skip(&response, self.received)?;
        self.response = Some(response);
        Ok(())
    }
}

/// Asks for a blob from one of its bytes on.
pub(crate) fn range(from: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if from > 0 {
        let range = format!("bytes={from}-");
        headers.insert(RANGE, HeaderValue::from_str(&range).expect("digits are a header's value"));
    }
    headers
}

/// How many bytes come before those that were asked for: none, or all, where a server knows no ranges.
fn skip(response: &Response, from: u64) -> Result<u64, Error> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok(from);
    }
    let told = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    let begins = told.strip_prefix("bytes ").and_then(|range| range.split_once('-')).map(|(first, _)| first.trim());
    match begins {
        Some(first) if first.parse() != Ok(from) => {
            Err(Error::Malformed(format!("the registry was asked for a blob from byte {from} on, and sent {told:?}")))
        }
        _ => Ok(0),
    }
}
