//! A connection taken over from HTTP: raw bytes both ways, each way closed on its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Error, Stream};

/// The byte stream of an attach or exec.
#[derive(Debug)]
pub struct Hijacked {
    /// What had come in behind the answer's head.
    early: Bytes,
    stream: Stream,
    multiplexed: bool,
}

/// Takes the connection over after `101`.
pub(crate) async fn take(response: Response<Incoming>) -> Result<Hijacked, Error> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::NotUpgraded { status: status.as_u16() });
    }
    let multiplexed = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes() == b"application/vnd.docker.multiplexed-stream");
    let upgraded = hyper::upgrade::on(response).await?;
    match upgraded.downcast::<TokioIo<Stream>>() {
        Ok(parts) => Ok(Hijacked { early: parts.read_buf, stream: parts.io.into_inner(), multiplexed }),
        Err(_) => Err(Error::NotUpgraded { status: status.as_u16() }),
    }
}

impl Hijacked {
    /// The daemon says that output comes in frames (no terminal). Daemons before API 1.42 never say so.
    pub fn multiplexed(&self) -> bool {
        self.multiplexed
    }

    /// Both directions, to be used by different tasks.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        let early = self.early;
        match self.stream {
            Stream::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf { early, half: HalfIn::Unix(read) }, WriteHalf(HalfOut::Unix(write)))
            }
            Stream::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf { early, half: HalfIn::Tcp(read) }, WriteHalf(HalfOut::Tcp(write)))
            }
            Stream::Tls(stream) => {
                let (read, write) = tokio::io::split(stream);
                (ReadHalf { early, half: HalfIn::Tls(read) }, WriteHalf(HalfOut::Tls(write)))
            }
        }
    }
}

type Secure = Box<tokio_rustls::TlsStream<tokio::net::TcpStream>>;

/// What comes from the daemon.
#[derive(Debug)]
pub struct ReadHalf {
    early: Bytes,
    half: HalfIn,
}

/// What goes to the daemon. `shutdown`, or dropping it, says that no more will come; reading goes on.
#[derive(Debug)]
pub struct WriteHalf(HalfOut);

#[derive(Debug)]
enum HalfIn {
    Unix(tokio::net::unix::OwnedReadHalf),
    Tcp(tokio::net::tcp::OwnedReadHalf),
    Tls(tokio::io::ReadHalf<Secure>),
}

#[derive(Debug)]
enum HalfOut {
    Unix(tokio::net::unix::OwnedWriteHalf),
    Tcp(tokio::net::tcp::OwnedWriteHalf),
    Tls(tokio::io::WriteHalf<Secure>),
}

/// Gives out what came early; false when nothing is left of it.
fn drain(early: &mut Bytes, buffer: &mut ReadBuf<'_>) -> bool {
    if early.is_empty() {
        return false;
    }
    let length = early.len().min(buffer.remaining());
    buffer.put_slice(&early[..length]);
    early.advance(length);
    true
}

impl AsyncRead for ReadHalf {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if drain(&mut this.early, buffer) {
            return Poll::Ready(Ok(()));
        }
        match &mut this.half {
            HalfIn::Unix(half) => Pin::new(half).poll_read(cx, buffer),
            HalfIn::Tcp(half) => Pin::new(half).poll_read(cx, buffer),
            HalfIn::Tls(half) => Pin::new(half).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            HalfOut::Unix(half) => Pin::new(half).poll_write(cx, data),
            HalfOut::Tcp(half) => Pin::new(half).poll_write(cx, data),
            HalfOut::Tls(half) => Pin::new(half).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            HalfOut::Unix(half) => Pin::new(half).poll_flush(cx),
            HalfOut::Tcp(half) => Pin::new(half).poll_flush(cx),
            HalfOut::Tls(half) => Pin::new(half).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            HalfOut::Unix(half) => Pin::new(half).poll_shutdown(cx),
            HalfOut::Tcp(half) => Pin::new(half).poll_shutdown(cx),
            HalfOut::Tls(half) => Pin::new(half).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Hijacked {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if drain(&mut this.early, buffer) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Hijacked {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
