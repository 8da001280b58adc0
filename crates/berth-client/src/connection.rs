//! One connection: how a daemon is reached, and hyper's HTTP/1.1 on it.

use std::io;

use berth_connection::Stream;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use crate::client::{Inner, Way};
use crate::outgoing::Outgoing;
use crate::{Error, Host, Tls};

/// A connection to `host`, on the way that the client was given.
pub(crate) async fn reach(host: &Host, way: &Way) -> Result<Stream, Error> {
    if let Way::Dialed(dialer) = way {
        let dialer = dialer.clone();
        let dialed = tokio::task::spawn_blocking(move || dialer()).await.map_err(io::Error::other);
        let stream = dialed.flatten().map_err(|source| Error::connect(host, source))?;
        let ready = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
        return ready.map(Stream::Unix).map_err(|source| Error::connect(host, source));
    }
    match host {
        Host::Unix(path) => {
            UnixStream::connect(path).await.map(Stream::Unix).map_err(|source| Error::connect(host, source))
        }
        Host::Tcp(authority) => {
            let opened = TcpStream::connect(authority).await;
            let opened = opened.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
            let stream = opened.map_err(|source| Error::connect(host, source))?;
            match way {
                Way::Tls(tls) => secure(authority, stream, tls).await,
                _ => Ok(Stream::Tcp(stream)),
            }
        }
    }
}

/// Speaks TLS from here on.
async fn secure(authority: &str, stream: TcpStream, tls: &Tls) -> Result<Stream, Error> {
    let failed = |reason: String| Error::Tls { at: format!("https://{authority}: "), reason };
    let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name).trim_matches(['[', ']']);
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).map_err(|error| failed(error.to_string()))?;
    match tls.connector().connect(name, stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
        Err(error) => Err(failed(Error::tls_reason(&error).unwrap_or_else(|| error.to_string()))),
    }
}

/// Opens a connection and drives it in a task of its own, which ends with it.
pub(crate) async fn open(inner: &Inner) -> Result<SendRequest<Outgoing>, Error> {
    let stream = reach(&inner.host, &inner.way).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // A broken connection is reported to the call that is using it.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}
