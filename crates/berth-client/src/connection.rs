//! One connection: a unix, TCP or TLS stream, and hyper's HTTP/1.1 on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use crate::client::{Inner, Way};
use crate::outgoing::Outgoing;
use crate::{Error, Host, Tls};

/// The byte stream below HTTP.
#[derive(Debug)]
pub enum Stream {
    /// Local.
    Unix(UnixStream),
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) async fn open(host: &Host, way: &Way) -> Result<Self, Error> {
        if let Way::Dialed(dialer) = way {
            let dialer = dialer.clone();
            let dialed = tokio::task::spawn_blocking(move || dialer()).await.map_err(io::Error::other);
            let stream = dialed.flatten().map_err(|source| Error::connect(host, source))?;
            let ready = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
            return ready.map(Self::Unix).map_err(|source| Error::connect(host, source));
        }
        match host {
            Host::Unix(path) => {
                UnixStream::connect(path).await.map(Self::Unix).map_err(|source| Error::connect(host, source))
            }
            Host::Tcp(authority) => {
                let opened = TcpStream::connect(authority).await;
                let opened = opened.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
                let stream = opened.map_err(|source| Error::connect(host, source))?;
                match way {
                    Way::Tls(tls) => secure(authority, stream, tls).await,
                    _ => Ok(Self::Tcp(stream)),
                }
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
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => Err(failed(Error::tls_reason(&error).unwrap_or_else(|| error.to_string()))),
    }
}

/// Opens a connection and drives it in a task of its own, which ends with it.
pub(crate) async fn open(inner: &Inner) -> Result<SendRequest<Outgoing>, Error> {
    let stream = Stream::open(&inner.host, &inner.way).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        // A broken connection is reported to the call that is using it.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
