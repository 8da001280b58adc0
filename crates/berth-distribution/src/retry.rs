//! Whether the same request may do better in a moment, and after how long a moment.

use std::time::Duration;

use http::Method;
use http::header::{HeaderMap, RETRY_AFTER};
use reqwest::Response;
use serde::Deserialize;

use crate::auth::challenges;
use crate::request::{bounded_body, method_name};
use crate::{Config, Error};

const MAX_TRIES: u32 = 5;
/// A registry that wants us to wait longer is told that we will not.
const MAX_PATIENCE: Duration = Duration::from_secs(60);
const MAX_ERROR_BODY: usize = 64 * 1024;

/// How long to wait before the next try: half a second, doubled each time.
pub(crate) fn backoff(attempt: u32) -> Duration {
    Duration::from_millis(500 << attempt.min(5))
}

/// How often something is tried.
pub(crate) fn tries(config: &Config) -> u32 {
    if config.attempts == 0 { MAX_TRIES } else { config.attempts }
}

/// The tries of one request.
#[derive(Debug)]
pub(crate) struct Tries {
    most: u32,
    failed: u32,
}

impl Tries {
    pub(crate) fn new(config: &Config) -> Self {
        Self { most: tries(config), failed: 0 }
    }

    /// The pause before the next try, or the error where there is no more hope.
    pub(crate) fn after(&mut self, failure: Failure) -> Result<Duration, Error> {
        let wait = failure.wait.unwrap_or_else(|| backoff(self.failed));
        self.failed += 1;
        if !failure.again || self.failed >= self.most || wait > MAX_PATIENCE {
            return Err(failure.error);
        }
        tracing::debug!(error = %failure.error, ?wait, "trying again");
        Ok(wait)
    }
}

/// A request that came to nothing this time.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) again: bool,
    /// What the registry asked for.
    pub(crate) wait: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { again: is_transient(&error), error, wait: None }
    }
}

impl Failure {
    /// Of an answer that is no success.
    pub(crate) async fn read(method: &Method, url: &str, response: Response) -> Self {
        let status = response.status().as_u16();
        let again = passes(status);
        let wait = retry_after(response.headers());
        let denied = status == 401
            && challenges(&response).iter().any(|c| c.get("error").is_some_and(|e| e.contains("insufficient_scope")));
        if denied {
            let message = "requested access to the resource is denied".into();
            return Self { error: Error::Registry { words: "denied".into(), message, status }, again: false, wait };
        }
        let body = bounded_body(response, MAX_ERROR_BODY).await.unwrap_or_default();
        Self { error: explain(method, url, status, &body), again, wait }
    }

    /// The answer's status, where there was an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match &self.error {
            Error::Registry { status, .. } | Error::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// `Retry-After`: seconds, or a date. RFC 9110, 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let left = at.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(left).unwrap_or_default())
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<RegistryError>,
}

#[derive(Deserialize)]
struct RegistryError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

fn explain(method: &Method, url: &str, status: u16, body: &[u8]) -> Error {
    let first = serde_json::from_slice::<Errors>(body).ok().and_then(|e| e.errors.into_iter().next());
    match first {
        Some(error) if !error.code.is_empty() => {
            let words = error.code.replace('_', " ").to_ascii_lowercase();
            let message = if error.message.is_empty() { words.clone() } else { error.message };
            Error::Registry { words, message, status }
        }
        // An answer to HEAD has no words.
        _ if status == 401 && body.is_empty() => refusal("unauthorized", "authentication required", status),
        _ if status == 403 && body.is_empty() => {
            refusal("denied", "requested access to the resource is denied", status)
        }
        _ if status == 400 && String::from_utf8_lossy(body).contains("HTTPS") => {
            let reason = "server wants HTTPS".to_owned();
            Error::Transport { method: method_name(method), url: url.to_owned(), reason, wrong_scheme: true }
        }
        _ => Error::Status { method: method_name(method), url: url.to_owned(), status },
    }
}

fn refusal(words: &str, message: &str, status: u16) -> Error {
    Error::Registry { words: words.to_owned(), message: message.to_owned(), status }
}

/// Whether the same request may do better in a moment: a refusal and an unknown name will not.
fn is_transient(error: &Error) -> bool {
    match error {
        Error::Transport { reason, wrong_scheme, .. } => {
            let hopeless = ["connection refused", "no such host", "certificate", "wants HTTPS"];
            let scheme = *wrong_scheme && (reason.contains("invalid HTTP") || reason.contains("InvalidContentType"));
            !scheme && !hopeless.iter().any(|text| reason.contains(text))
        }
        Error::Registry { status, .. } | Error::Status { status, .. } => passes(*status),
        _ => false,
    }
}

/// Whether an answer of this status may be another one in a moment.
fn passes(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read() {
        let of = |text: &str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(of(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(100);
        let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&soon).unwrap();
        assert!(of(&text).is_some_and(|wait| (90..=100).contains(&wait.as_secs())));
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn patience_ends() {
        let failure = |again, wait| Failure { error: Error::Malformed("x".into()), again, wait };
        let mut tries = Tries::new(&Config { attempts: 3, ..Config::default() });
        assert_eq!(tries.after(failure(true, None)).unwrap(), Duration::from_millis(500));
        assert_eq!(tries.after(failure(true, Some(Duration::from_secs(3)))).unwrap(), Duration::from_secs(3));
        assert!(tries.after(failure(true, None)).is_err());
        let mut tries = Tries::new(&Config::default());
        assert!(tries.after(failure(true, Some(Duration::from_secs(3600)))).is_err());
        assert!(Tries::new(&Config::default()).after(failure(false, None)).is_err());
    }
}
