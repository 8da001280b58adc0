//! What the server does with a client's connection: its two directions, and the face of it that hyper sees.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use berth_connection::Stream;
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// The connection once more, where another process can speak over it as it is.
pub(crate) fn local_descriptor(client: &Stream) -> Option<OwnedFd> {
    match client {
        Stream::Unix(stream) => stream.as_fd().try_clone_to_owned().ok(),
        Stream::Tcp(_) | Stream::Tls(_) => None,
    }
}

/// Both directions, borrowed.
pub(crate) fn split(client: &mut Stream) -> (ReadPart<'_>, WritePart<'_>) {
    match client {
        Stream::Unix(stream) => {
            let (read, write) = stream.split();
            (ReadPart::Unix(read), WritePart::Unix(write))
        }
        Stream::Tcp(stream) => {
            let (read, write) = stream.split();
            (ReadPart::Tcp(read), WritePart::Tcp(write))
        }
        Stream::Tls(stream) => {
            let (read, write) = tokio::io::split(stream.as_mut());
            (ReadPart::Tls(read), WritePart::Tls(write))
        }
    }
}

/// What comes from a client.
#[derive(Debug)]
pub(crate) enum ReadPart<'a> {
    Unix(tokio::net::unix::ReadHalf<'a>),
    Tcp(tokio::net::tcp::ReadHalf<'a>),
    Tls(tokio::io::ReadHalf<&'a mut TlsStream<TcpStream>>),
}

/// What goes to a client.
#[derive(Debug)]
pub(crate) enum WritePart<'a> {
    Unix(tokio::net::unix::WriteHalf<'a>),
    Tcp(tokio::net::tcp::WriteHalf<'a>),
    Tls(tokio::io::WriteHalf<&'a mut TlsStream<TcpStream>>),
}

impl ReadPart<'_> {
    /// The peer has closed both directions. TCP cannot tell this from a closed sending side; there it is always false.
    pub(crate) fn hung_up(&self) -> bool {
        let Self::Unix(half) = self else { return false };
        let mut descriptors = [PollFd::from_borrowed_fd(half.as_ref().as_fd(), PollFlags::empty())];
        let polled = rustix::event::poll(&mut descriptors, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        polled.is_ok() && descriptors[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }

    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(half) => half.read(buffer).await,
            Self::Tcp(half) => half.read(buffer).await,
            Self::Tls(half) => half.read(buffer).await,
        }
    }
}

impl WritePart<'_> {
    pub(crate) async fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(half) => half.write_all(data).await,
            Self::Tcp(half) => half.write_all(data).await,
            Self::Tls(half) => {
                half.write_all(data).await?;
                half.flush().await
            }
        }
    }
}

/// What hyper reads from: the stream, with its end hidden while a request is being answered.
///
/// hyper takes the end of input for a client that has gone and drops the request. A client may close its sending side
/// behind its request, though (`echo hi | docker run -i` down a raw socket), and a state change must not be dropped
/// halfway. Once the answer's head is out, the end is shown: a stream of events ends with its client.
#[derive(Debug)]
pub(crate) struct Patient {
    pub(crate) stream: Stream,
    pub(crate) busy: Arc<AtomicBool>,
}

impl AsyncRead for Patient {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let ended = matches!(polled, Poll::Ready(Ok(()))) && buffer.filled().len() == before && buffer.remaining() > 0;
        // No waker is needed: hyper asks again when the request's own future wakes it.
        if ended && this.busy.load(Ordering::Relaxed) { Poll::Pending } else { polled }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
