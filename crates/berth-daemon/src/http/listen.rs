//! Where the daemon listens: unix sockets, TCP with or without TLS, and sockets that were handed over.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use berth_connection::Stream;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::activation::Activated;

/// The group that unix sockets are given to where there is such a group and no other was named.
pub(crate) const DEFAULT_GROUP: &str = "docker";

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(String),
    /// What systemd handed over: all, a number or a name.
    Handed(String),
}

/// Why the daemon cannot listen somewhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("invalid address {0}: use unix://PATH or tcp://HOST:PORT")]
    Unparsable(String),
    #[error("listening on {scheme}:// is not possible: use unix://PATH, tcp://HOST:PORT or fd://")]
    Scheme { scheme: String },
    #[error(
        "tcp://{0} is no address of the loopback, and without --tlsverify everybody who reaches it is root here: give \
         --tlsverify with certificates, or insist with --tls=false"
    )]
    Remote(String),
    #[error("{0}")]
    Handed(String),
    #[error("group {0} not found: it was to own the unix socket")]
    NoGroup(String),
    #[error("another daemon answers on {}", .0.display())]
    Answered(PathBuf),
    #[error("{} exists and is no socket", .0.display())]
    NotASocket(PathBuf),
    #[error("cannot listen on {address}")]
    Bind { address: String, source: io::Error },
}

impl Address {
    /// Reads `unix://PATH`, a bare path, `tcp://HOST:PORT`, a bare `HOST:PORT`, or `fd://`. Where no port is given,
    /// `tls` decides.
    pub(crate) fn parse(text: &str, tls: bool) -> Result<Self, ListenError> {
        let port = if tls { 2376 } else { 2375 };
        let unparsable = || ListenError::Unparsable(text.to_owned());
        match text.split_once("://") {
            Some(("unix", "")) => Ok(Self::Unix(PathBuf::from(crate::options::DEFAULT_SOCKET))),
            Some(("unix", path)) => Ok(Self::Unix(PathBuf::from(path))),
            Some(("tcp", rest)) => tcp(rest, port).ok_or_else(unparsable).map(Self::Tcp),
            Some(("fd", wanted)) => Ok(Self::Handed(wanted.to_owned())),
            Some((scheme, _)) => Err(ListenError::Scheme { scheme: scheme.to_owned() }),
            None if text.starts_with('/') => Ok(Self::Unix(PathBuf::from(text))),
            None => tcp(text, port).ok_or_else(unparsable).map(Self::Tcp),
        }
    }
}

fn tcp(rest: &str, otherwise: u16) -> Option<String> {
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().ok()?),
        _ => (rest, otherwise),
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    (!host.contains('/')).then(|| format!("{host}:{port}"))
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
            Self::Handed(wanted) => write!(f, "fd://{wanted}"),
        }
    }
}

/// What addresses are listened on with.
#[derive(Debug)]
pub(crate) struct Terms {
    /// Owns unix sockets.
    pub(crate) group: String,
    /// For TCP.
    pub(crate) tls: Option<Tls>,
    /// The user said that TCP may be plain, or open to clients without a certificate.
    pub(crate) insisted: bool,
    pub(crate) activated: Activated,
}

/// TLS, and whether clients must show a certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) verify: bool,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("verify", &self.verify).finish_non_exhaustive()
    }
}

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) enum Listener {
    /// The path is of a file that goes with the listener; one that was handed over stays.
    Unix(UnixListener, Option<PathBuf>),
    Tcp(TcpListener, Option<Tls>),
}

/// A client at the door.
#[derive(Debug)]
pub(crate) enum Arriving {
    Unix(UnixStream),
    Tcp(TcpStream, Option<Tls>),
}

impl Arriving {
    /// Lets it in: at once, or after it has shaken hands.
    pub(crate) async fn greet(self) -> io::Result<Stream> {
        match self {
            Self::Unix(stream) => Ok(Stream::Unix(stream)),
            Self::Tcp(stream, None) => Ok(Stream::Tcp(stream)),
            Self::Tcp(stream, Some(tls)) => super::tls::greet(stream, &tls.acceptor).await,
        }
    }
}

impl Listener {
    /// Takes the address. A socket file that nobody answers on is replaced; one that somebody does is left alone.
    pub(crate) fn bind(address: &Address, terms: &mut Terms) -> Result<Vec<Self>, ListenError> {
        let failed = |source| ListenError::Bind { address: address.to_string(), source };
        match address {
            Address::Unix(path) => {
                let group = owner(&terms.group)?;
                clear(path)?;
                let listener = bind_unix(path, group).map_err(failed)?;
                Ok(vec![Self::Unix(listener, Some(path.clone()))])
            }
            Address::Tcp(authority) => {
                let addresses: Vec<SocketAddr> = authority.to_socket_addrs().map_err(failed)?.collect();
                let trusted = terms.insisted || terms.tls.as_ref().is_some_and(|tls| tls.verify);
                if !trusted && !addresses.iter().all(|address| address.ip().is_loopback()) {
                    return Err(ListenError::Remote(authority.clone()));
                }
                let listener = std::net::TcpListener::bind(addresses.as_slice()).map_err(failed)?;
                Ok(vec![Self::tcp(listener, terms).map_err(failed)?])
            }
            Address::Handed(wanted) => {
                let sockets = terms.activated.take(wanted).map_err(ListenError::Handed)?;
                sockets.into_iter().map(|socket| Self::handed(socket, terms).map_err(failed)).collect()
            }
        }
    }

    fn tcp(listener: std::net::TcpListener, terms: &Terms) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?, terms.tls.clone()))
    }

    fn handed(socket: OwnedFd, terms: &Terms) -> io::Result<Self> {
        if !super::activation::is_unix(&socket) {
            return Self::tcp(socket.into(), terms);
        }
        let listener = std::os::unix::net::UnixListener::from(socket);
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)?, None))
    }

    /// The next client.
    pub(crate) async fn accept(&self) -> io::Result<Arriving> {
        match self {
            Self::Unix(listener, _) => Ok(Arriving::Unix(listener.accept().await?.0)),
            Self::Tcp(listener, tls) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Arriving::Tcp(stream, tls.clone()))
            }
        }
    }
}

/// The group's number; the usual group may be missing, another that was named may not.
fn owner(group: &str) -> Result<Option<u32>, ListenError> {
    match crate::group::id(group) {
        None if !group.is_empty() && group != DEFAULT_GROUP => Err(ListenError::NoGroup(group.to_owned())),
        found => Ok(found),
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
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
fn bind_unix(path: &Path, group: Option<u32>) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let _ = fs::remove_file(&temporary);
    let listener = UnixListener::bind(&temporary)?;
    let ready = (|| {
        if let Some(group) = group {
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
            ("fd://", "fd://"),
            ("fd://api", "fd://api"),
        ] {
            assert_eq!(Address::parse(text, false).unwrap().to_string(), meant, "{text}");
        }
        assert_eq!(Address::parse("tcp://h", true).unwrap().to_string(), "tcp://h:2376");
        assert!(matches!(Address::parse("npipe://x", false), Err(ListenError::Scheme { .. })));
        assert!(Address::parse("tcp://h:x", false).is_err());
    }

    fn terms(group: &str, insisted: bool) -> Terms {
        Terms { group: group.to_owned(), tls: None, insisted, activated: Activated::default() }
    }

    fn bind(text: &str, insisted: bool) -> Result<Vec<Listener>, ListenError> {
        Listener::bind(&Address::parse(text, false).unwrap(), &mut terms("", insisted))
    }

    #[tokio::test]
    async fn plain_tcp_beyond_the_loopback_must_be_insisted_upon() {
        let refused = bind("tcp://0.0.0.0:0", false).unwrap_err();
        assert!(refused.to_string().contains("--tlsverify"), "{refused}");
        bind("tcp://127.0.0.1:0", false).unwrap();
        bind("tcp://0.0.0.0:0", true).unwrap();
    }

    #[tokio::test]
    async fn a_living_socket_is_left_alone_and_a_dead_one_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/x.sock");
        let address = Address::Unix(path.clone());
        let first = Listener::bind(&address, &mut terms("docker", false)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let nobody = Listener::bind(&address, &mut terms("no such group", false)).unwrap_err();
        assert!(matches!(nobody, ListenError::NoGroup(_)), "{nobody}");
        assert!(matches!(Listener::bind(&address, &mut terms("", false)).unwrap_err(), ListenError::Answered(_)));
        let [Listener::Unix(listener, _)] = first.as_slice() else { panic!("a unix address gave another listener") };
        let copy = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned().unwrap();
        std::mem::forget(first);
        // The file remains, as after kill -9; shutting the listener down makes connecting fail.
        rustix::net::shutdown(&copy, rustix::net::Shutdown::Both).unwrap();
        Listener::bind(&address, &mut terms("", false)).unwrap();
        fs::write(directory.path().join("file"), "").unwrap();
        let file = Address::Unix(directory.path().join("file"));
        assert!(matches!(Listener::bind(&file, &mut terms("", false)).unwrap_err(), ListenError::NotASocket(_)));
    }
}
