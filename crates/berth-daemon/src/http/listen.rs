//! Where the daemon listens: unix sockets, and plain TCP on the loopback.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use super::stream::Stream;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(String),
}

/// Why the daemon cannot listen somewhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("invalid address {0}: use unix://PATH or tcp://HOST:PORT")]
    Unparsable(String),
    #[error("listening on {scheme}:// is not supported yet: use unix:// or tcp://")]
    Scheme { scheme: String },
    #[error(
        "{0} is not a loopback address: without TLS, anyone who reaches it is root here; berth does not serve TLS yet"
    )]
    NotLoopback(String),
    #[error("another daemon answers on {}", .0.display())]
    Answered(PathBuf),
    #[error("{} exists and is no socket", .0.display())]
    NotASocket(PathBuf),
    #[error("cannot listen on {address}")]
    Bind { address: String, source: io::Error },
}

impl Address {
    /// Reads `unix://PATH`, a bare path, `tcp://HOST:PORT` or a bare `HOST:PORT`.
    pub(crate) fn parse(text: &str) -> Result<Self, ListenError> {
        let unparsable = || ListenError::Unparsable(text.to_owned());
        match text.split_once("://") {
            Some(("unix", "")) => Ok(Self::Unix(PathBuf::from(crate::options::DEFAULT_SOCKET))),
            Some(("unix", path)) => Ok(Self::Unix(PathBuf::from(path))),
            Some(("tcp", rest)) => tcp(rest).ok_or_else(unparsable).map(Self::Tcp),
            Some((scheme, _)) => Err(ListenError::Scheme { scheme: scheme.to_owned() }),
            None if text.starts_with('/') => Ok(Self::Unix(PathBuf::from(text))),
            None => tcp(text).ok_or_else(unparsable).map(Self::Tcp),
        }
    }
}

fn tcp(rest: &str) -> Option<String> {
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        _ => (rest, 2375),
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    (!host.contains('/')).then(|| format!("{host}:{port}"))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener),
}

impl Listener {
    /// Takes the address. A socket file that nobody answers on is replaced; one that somebody does is left alone.
    pub(crate) fn bind(address: &Address, group: &str) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Bind { address: address.to_string(), source };
        match address {
            Address::Unix(path) => {
                clear(path)?;
                bind_unix(path, group).map(|listener| Self::Unix(listener, path.clone())).map_err(failed)
            }
            Address::Tcp(authority) => {
                let addresses: Vec<SocketAddr> = authority.to_socket_addrs().map_err(failed)?.collect();
                if !addresses.iter().all(|address| address.ip().is_loopback()) {
                    return Err(ListenError::NotLoopback(authority.clone()));
                }
                let listener = std::net::TcpListener::bind(addresses.as_slice()).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                TcpListener::from_std(listener).map(Self::Tcp).map_err(failed)
            }
        }
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener, _) => Ok(Stream::Unix(listener.accept().await?.0)),
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Not there any more is as good.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether somebody answers on a socket.
pub(crate) fn answered(path: &Path) -> bool {
    StdUnixStream::connect(path).is_ok()
}

fn clear(path: &Path) -> Result<(), ListenError> {
    use std::os::unix::fs::FileTypeExt;
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    if answered(path) {
        return Err(ListenError::Answered(path.to_owned()));
    }
    fs::remove_file(path).map_err(|source| ListenError::Bind { address: path.display().to_string(), source })
}

/// Made under another name and moved into place once its owner and mode are right, so that nobody meets it open wide.
fn bind_unix(path: &Path, group: &str) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    let ready = (|| {
        if let Some(group) = crate::group::id(group) {
            chown(&temporary, Some(0), Some(group))?;
        }
        fs::set_permissions(&temporary, Permissions::from_mode(0o660))?;
        fs::rename(&temporary, path)
    })();
    if ready.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    ready.map(|()| listener)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, meant) in [
            ("unix:///a/b", "unix:///a/b"),
            ("/a/b", "unix:///a/b"),
            ("unix://", "unix:///run/berth/berth.sock"),
            ("tcp://127.0.0.1:2375", "tcp://127.0.0.1:2375"),
            ("127.0.0.1:1", "tcp://127.0.0.1:1"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), meant, "{text}");
        }
        assert!(matches!(Address::parse("fd://"), Err(ListenError::Scheme { .. })));
        assert!(Address::parse("tcp://h:x").is_err());
    }

    #[tokio::test]
    async fn plain_tcp_is_for_the_loopback_only() {
        let refused = Listener::bind(&Address::parse("tcp://0.0.0.0:0").unwrap(), "").unwrap_err();
        assert!(refused.to_string().contains("loopback"), "{refused}");
        Listener::bind(&Address::parse("tcp://127.0.0.1:0").unwrap(), "").unwrap();
    }

    #[tokio::test]
    async fn a_living_socket_is_left_alone_and_a_dead_one_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/x.sock");
        let address = Address::Unix(path.clone());
        let first = Listener::bind(&address, "no such group").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(Listener::bind(&address, "").unwrap_err(), ListenError::Answered(_)));
        let Listener::Unix(ref listener, _) = first else { panic!("a unix address gave another listener") };
        let copy = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned().unwrap();
        std::mem::forget(first);
        // The file remains, as after kill -9; shutting the listener down makes connecting fail.
        rustix::net::shutdown(&copy, rustix::net::Shutdown::Both).unwrap();
        Listener::bind(&address, "").unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let file = Address::Unix(directory.path().join("file"));
        assert!(matches!(Listener::bind(&file, "").unwrap_err(), ListenError::NotASocket(_)));
    }
}
