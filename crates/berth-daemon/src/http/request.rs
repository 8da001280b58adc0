//! A request on its way to its handler.

use std::sync::Arc;

use berth_api::{ApiVersion, decode};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::query::Query;
use super::takeover::Slot;
use crate::daemon::Daemon;

/// No JSON body of the API comes near this.
const BODY_LIMIT: usize = 4 << 20;

/// A request, parsed as far as its route says.
pub(crate) struct Call {
    /// Everything the daemon has.
    pub(crate) daemon: Arc<Daemon>,
    /// What the client speaks; the newest where the path names none.
    pub(crate) version: ApiVersion,
    /// What stood in the path for each name of the route.
    pub(crate) names: Vec<String>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
    /// Where a handler says that it wants the connection itself.
    pub(crate) slot: Slot,
}

impl Call {
    /// The path's first name; routes without one never ask.
    pub(crate) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// Reads the whole body.
    pub(crate) async fn bytes(&mut self) -> Result<Bytes, ApiError> {
        let body = Limited::new(&mut self.body, BODY_LIMIT);
        body.collect().await.map(|body| body.to_bytes()).map_err(|error| ApiError::invalid(error.to_string()))
    }

    /// Reads a JSON body that must be there and must call itself JSON.
    pub(crate) async fn required_json(&mut self) -> Result<Bytes, ApiError> {
        let kind = self.header(header::CONTENT_TYPE.as_str()).to_owned();
        let body = self.bytes().await?;
        if !kind.is_empty() && !is_json(&kind) {
            return Err(ApiError::invalid(format!(
                "unsupported Content-Type header ({kind}): must be 'application/json'"
            )));
        }
        match body.is_empty() {
            true => Err(ApiError::invalid("invalid JSON: got EOF while reading request body")),
            false => Ok(body),
        }
    }

    /// Reads a JSON body; an empty one is the type's default.
    pub(crate) async fn json<T: DeserializeOwned + Default>(&mut self) -> Result<T, ApiError> {
        let body = self.bytes().await?;
        if body.is_empty() {
            return Ok(T::default());
        }
        decode::from_slice(&body).map_err(|error| invalid_json(&error))
    }
}

pub(crate) fn invalid_json(error: &serde_json::Error) -> ApiError {
    ApiError::invalid(format!("invalid JSON: {error}"))
}

fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or("").trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}
