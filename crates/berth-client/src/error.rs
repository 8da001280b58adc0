//! What can go wrong between a call and its answer.

use std::io;

use crate::Host;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody listens there.
    #[error("Cannot connect to the Docker daemon at {host}. Is the docker daemon running?")]
    Connect {
        /// Where.
        host: Host,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket may not be opened by this user.
    #[error("permission denied while trying to connect to the docker API at {host}")]
    Permission {
        /// Where.
        host: Host,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The daemon answered with an error.
    #[error("Error response from daemon: {message}")]
    Api {
        /// HTTP status.
        status: u16,
        /// The daemon's sentence.
        message: String,
    },
    /// TLS failed, at the beginning or (where the daemon wants a certificate) with the first answer.
    #[error("error during connect: {at}{reason}")]
    Tls {
        /// The address and a colon, where it is known.
        at: String,
        /// What was wrong.
        reason: String,
    },
    /// The connection broke.
    #[error("error during connect: {0}")]
    Transport(#[source] hyper::Error),
    /// Reading or writing a hijacked stream failed.
    #[error("error during connect: {0}")]
    Stream(#[from] io::Error),
    /// The request cannot be written, for example because a name holds a line break.
    #[error("invalid request: {0}")]
    Request(#[from] http::Error),
    /// The answer is not what the API promises.
    #[error("unexpected answer to {path}: {source}")]
    Decode {
        /// Which request.
        path: String,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The daemon is not berth's.
    #[error("the daemon cannot filter logs (--grep is berth's own): pipe them through grep instead")]
    NotFiltered,
    /// The daemon did not hand the connection over.
    #[error("unable to upgrade to tcp, received {status}")]
    NotUpgraded {
        /// HTTP status.
        status: u16,
    },
}

impl Error {
    /// The HTTP status, where the daemon answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { status, .. } | Self::NotUpgraded { status } => Some(*status),
            _ => None,
        }
    }

    /// The object named does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// No daemon listens there (rather than refusing us).
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }

    /// What TLS says, where it is TLS that failed.
    pub(crate) fn tls_reason(error: &(dyn std::error::Error + 'static)) -> Option<String> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Some(berth_connection::explain(error));
            }
            // An `io::Error` hides what it holds from its `source`.
            let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = match held {
                Some(held) => Some(held),
                None => error.source(),
            };
        }
        None
    }

    pub(crate) fn connect(host: &Host, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission { host: host.clone(), source },
            _ => Self::Connect { host: host.clone(), source },
        }
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        match Self::tls_reason(&error) {
            Some(reason) => Self::Tls { at: String::new(), reason },
            None => Self::Transport(error),
        }
    }
}
