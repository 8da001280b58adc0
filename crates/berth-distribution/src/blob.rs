//! A blob on its way, which goes on where it broke.

use std::time::{Duration, Instant};

use berth_oci::Digest;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use http::{Method, StatusCode};
use reqwest::Response;

use crate::Error;
use crate::repository::Repository;
use crate::request::transport;
use crate::retry::{backoff, tries};

/// What has to come within the registry's patience, or between two breaks, to count as progress.
const LEAST: u64 = 16 << 10;

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
    repository: Repository,
    digest: Digest,
    size: u64,
    received: u64,
    response: Option<Response>,
    /// Bytes that a server sends again because it knows no ranges.
    skip: u64,
    pace: Pace,
    breaks: u32,
    pause: Option<Duration>,
    /// What came last was too little for the time it took.
    slow: bool,
}

/// How fast it comes.
#[derive(Debug)]
struct Pace {
    since: Instant,
    /// Since then.
    came: u64,
    /// Since the last break.
    unbroken: u64,
}

impl Pace {
    fn new() -> Self {
        Self { since: Instant::now(), came: 0, unbroken: 0 }
    }

    /// Takes note of bytes; false: so few came for so long that another connection can only be better.
    fn take(&mut self, bytes: u64, patience: Duration) -> bool {
        self.came += bytes;
        self.unbroken += bytes;
        if self.since.elapsed() < patience {
            return true;
        }
        let enough = self.came >= LEAST;
        (self.since, self.came) = (Instant::now(), 0);
        enough
    }
}

impl Blob {
    /// The bytes from `from` on.
    pub(crate) async fn open(repository: &Repository, digest: &Digest, size: u64, from: u64) -> Result<Self, Error> {
        let mut blob = Self {
            repository: repository.clone(),
            digest: digest.clone(),
            size,
            received: from,
            response: None,
            skip: 0,
            pace: Pace::new(),
            breaks: 0,
            pause: None,
            slow: false,
        };
        if from < size || size == 0 {
            blob.request().await?;
        }
        Ok(blob)
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
            if std::mem::take(&mut self.slow) && self.received < self.size {
                return self.broken("the registry sends next to nothing".into()).map(Some);
            }
            let Some(response) = &mut self.response else {
                if self.received == self.size {
                    return Ok(None);
                }
                self.request().await?;
                continue;
            };
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    self.slow = !self.pace.take(bytes.len() as u64, self.repository.config().patience());
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
        Ok(Some(bytes))
    }

    fn broken(&mut self, reason: String) -> Result<Piece, Error> {
        self.response = None;
        self.breaks = if self.pace.unbroken >= LEAST { 1 } else { self.breaks + 1 };
        self.pace = Pace::new();
        if self.breaks >= tries(self.repository.config()) {
            let url = self.repository.address(&format!("blobs/{}", self.digest));
            return Err(Error::Transport { method: "Get", url, reason, wrong_scheme: false });
        }
        let pause = backoff(self.breaks - 1);
        tracing::debug!(digest = %self.digest, received = self.received, reason, "a transfer broke");
        self.pause = Some(pause);
        Ok(Piece::Pause(pause))
    }

    /// Asks for what is missing.
    async fn request(&mut self) -> Result<(), Error> {
        let mut request = self.repository.request(Method::GET, &format!("blobs/{}", self.digest));
        if self.received > 0 {
            let range = format!("bytes={}-", self.received);
            request.headers.insert(RANGE, HeaderValue::from_str(&range).expect("digits are a header's value"));
        }
        let response = match self.repository.call(request).await {
            // There is no more than came already: the registry's blob is too short.
            Err(Error::Status { status: 416, .. } | Error::Registry { status: 416, .. }) => {
                return Err(self.wrong_length(&format!("but {} came", self.received)));
            }
            response => response?.1,
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let (start, total) = content_range(response.headers()).unwrap_or((self.received, None));
                if let Some(total) = total.filter(|&total| total != self.size) {
                    return Err(self.wrong_length(&format!("the registry has {total}")));
                }
                let Some(skip) = self.received.checked_sub(start) else {
                    let (asked, digest) = (self.received, &self.digest);
                    let text = format!("asked for {digest} from byte {asked}, the registry sent it from byte {start}");
                    return Err(Error::Verification(text));
                };
                self.skip = skip;
            }
            _ => {
                if let Some(length) = response.content_length().filter(|&length| length != self.size) {
                    return Err(self.wrong_length(&format!("the registry has {length}")));
                }
                self.skip = self.received;
            }
        }
        self.response = Some(response);
        Ok(())
    }

    fn wrong_length(&self, found: &str) -> Error {
        Error::Verification(format!("{} should have {} bytes, {found}", self.digest, self.size))
    }
}

/// `Content-Range: bytes 500-999/1000`: where it begins, and how many there are in all. RFC 9110, 14.4.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes ")?;
    let (range, total) = text.split_once('/')?;
    Some((range.split_once('-')?.0.trim().parse().ok()?, total.trim().parse().ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let of = |text: &str| content_range(&HeaderMap::from_iter([(CONTENT_RANGE, text.parse().unwrap())]));
        assert_eq!(of("bytes 500-999/1000"), Some((500, Some(1000))));
        assert_eq!(of("bytes 0-0/*"), Some((0, None)));
        for odd in ["", "bytes */1000", "lines 1-2/3", "bytes 5", "bytes -5/9"] {
            assert_eq!(of(odd), None, "{odd}");
        }
    }
}
