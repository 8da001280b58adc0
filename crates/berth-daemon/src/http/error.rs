//! Errors as the API answers them, and the one table from the domain's kinds to HTTP status.

use berth_api::ErrorResponse;
use berth_engine::ErrorKind;
use http::StatusCode;

use super::answer::{self, Answer};

/// A refusal: a status and one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// 400: the request is wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 501: `what` completes "berth does not … yet"; `asked` is how it was asked for.
    pub(crate) fn not_yet(what: &str, asked: &str) -> Self {
        Self::new(StatusCode::NOT_IMPLEMENTED, format!("berth does not {what} yet ({asked})"))
    }

    /// 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The answer. "Not modified" has no body.
    pub(crate) fn answer(&self) -> Answer {
        if self.status == StatusCode::NOT_MODIFIED {
            return answer::empty(self.status);
        }
        answer::json(self.status, &ErrorResponse { message: self.message.clone() })
    }
}

/// The status of each kind of failure.
pub(crate) const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::NotModified => StatusCode::NOT_MODIFIED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<berth_engine::Error> for ApiError {
    fn from(error: berth_engine::Error) -> Self {
        Self::new(status(error.kind()), error.chain())
    }
}
