//! Where a daemon listens: `unix://PATH`, `tcp://HOST[:PORT]`, or what `DOCKER_HOST` says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The socket a daemon listens on unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/berth/berth.sock";

/// The port of plain TCP where none is given.
const PLAIN_PORT: u16 = 2375;

/// The port of TCP with TLS where none is given.
const TLS_PORT: u16 = 2376;

/// A daemon's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A unix socket.
    Unix(PathBuf),
    /// Plain TCP, as `host:port`.
    Tcp(String),
}

/// The text is no address a client can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// No `protocol://`.
    #[error("unable to parse docker host `{0}`")]
    Unparsable(String),
    /// A protocol that is not spoken.
    #[error("{scheme}:// is no way to reach a daemon here: use unix:// or tcp://")]
    Scheme {
        /// What stood before `://`.
        scheme: String,
    },
}

impl Host {
    /// The address in `DOCKER_HOST`, or `None` where that is unset or empty; `tls` as for [`Self::parse_for`].
    ///
    /// # Errors
    /// The variable is set to something unusable.
    pub fn from_env(tls: bool) -> Result<Option<Self>, InvalidHost> {
        match std::env::var("DOCKER_HOST") {
            Ok(text) if !text.is_empty() => Self::parse_for(&text, tls).map(Some),
            _ => Ok(None),
        }
    }

    /// berth's own socket in its usual place.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What stands in the `Host` header.
    pub(crate) fn authority(&self) -> &str {
        match self {
            Self::Unix(_) => "api.moby.localhost",
            Self::Tcp(authority) => authority,
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::Unix(PathBuf::from(DEFAULT_SOCKET))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_for(text, false)
    }
}

impl Host {
    /// Reads an address; `tls` decides which port is meant where none is given.
    ///
    /// # Errors
    /// The text is no address.
    pub fn parse_for(text: &str, tls: bool) -> Result<Self, InvalidHost> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| InvalidHost::Unparsable(text.to_owned()))?;
        match scheme {
            "unix" if rest.is_empty() => Ok(Self::default()),
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "tcp" | "http" => {
                let port = if tls { TLS_PORT } else { PLAIN_PORT };
                tcp_authority(rest, port).map(Self::Tcp).ok_or_else(|| InvalidHost::Unparsable(text.to_owned()))
            }
            _ => Err(InvalidHost::Scheme { scheme: scheme.to_owned() }),
        }
    }
}

/// `host:port` from what follows `tcp://`; an empty host is this one.
fn tcp_authority(rest: &str, otherwise: u16) -> Option<String> {
    let rest = rest.trim_end_matches('/');
    if rest.contains('/') {
        return None;
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (rest, otherwise),
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, meant) in [
            ("unix:///x/y.sock", "unix:///x/y.sock"),
            ("unix://", "unix:///run/berth/berth.sock"),
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("tcp://127.0.0.1", "tcp://127.0.0.1:2375"),
            ("tcp://:4000/", "tcp://127.0.0.1:4000"),
            ("tcp://[::1]:4000", "tcp://[::1]:4000"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
            ("http://h:1", "tcp://h:1"),
        ] {
            assert_eq!(text.parse::<Host>().unwrap().to_string(), meant, "{text}");
        }
        for bad in ["", "/x.sock", "ssh://h", "npipe:////./pipe/x", "tcp://h:x", "tcp://h:1/path"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
