//! What a registry, or the way to it, may say.

/// The family an error belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// `MANIFEST_UNKNOWN`, or a 404 without words.
    ManifestUnknown,
    /// `NAME_UNKNOWN`.
    NameUnknown,
    /// `DENIED`.
    Denied,
    /// `UNAUTHORIZED`, or credentials are wanted and there are none.
    Unauthorized,
    /// It may work later: no connection, 5xx, 429.
    Unavailable,
    /// What came is not what was promised.
    Verification,
    /// Anything else.
    Other,
}

/// A request that came to nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry said what is wrong: Docker prints the code in words, then the message.
    #[error("{words}: {message}")]
    Registry {
        /// `manifest unknown`, from `MANIFEST_UNKNOWN`.
        words: String,
        /// The registry's sentence.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The registry answered with a status and nothing to explain it.
    #[error("{method} {url:?}: unexpected status from the registry: {status}")]
    Status {
        /// The request's method.
        method: &'static str,
        /// Of what.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// The registry wants credentials, and there are none, or it does not take them.
    #[error("{method} {url:?}: {reason}")]
    Unauthorized {
        /// The request's method.
        method: &'static str,
        /// Of what.
        url: String,
        /// `no basic auth credentials`, `unauthorized: …`.
        reason: String,
    },
    /// Where to log in cannot be read from it.
    #[error("unable to parse server address: {0:?} is no host[:port]")]
    Address(String),
    /// The registry does not take the credentials of a login.
    #[error("login attempt to {url} failed with status: {status} {reason}")]
    Login {
        /// Of what.
        url: String,
        /// The HTTP status.
        status: u16,
        /// Its usual words.
        reason: &'static str,
    },
    /// The registry could not be reached, or the connection broke.
    #[error("{method} {url:?}: {reason}")]
    Transport {
        /// The request's method.
        method: &'static str,
        /// Of what.
        url: String,
        /// The deepest cause.
        reason: String,
        /// It looks as if the other scheme were spoken there.
        wrong_scheme: bool,
    },
    /// The answer cannot be what was asked for.
    #[error("{0}")]
    Verification(String),
    /// The answer makes no sense.
    #[error("{0}")]
    Malformed(String),
}

impl Error {
    /// The family it belongs to.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Registry { words, status, .. } => match words.as_str() {
                "manifest unknown" => ErrorKind::ManifestUnknown,
                "name unknown" => ErrorKind::NameUnknown,
                "denied" => ErrorKind::Denied,
                "unauthorized" => ErrorKind::Unauthorized,
                "not found" if *status == 404 => ErrorKind::ManifestUnknown,
                _ => of_status(*status),
            },
            Self::Status { status, .. } | Self::Login { status, .. } => of_status(*status),
            Self::Unauthorized { .. } => ErrorKind::Unauthorized,
            Self::Transport { .. } => ErrorKind::Unavailable,
            Self::Verification(_) => ErrorKind::Verification,
            Self::Malformed(_) | Self::Address(_) => ErrorKind::Other,
        }
    }
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Denied,
        404 => ErrorKind::ManifestUnknown,
        408 | 429 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}
