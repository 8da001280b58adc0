//! TLS to a log service: lines go in, and what the socket takes comes out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use berth_connection::TlsFiles;
use rustix::net::{RecvFlags, recv, send};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::queue::Queue;
use super::remote::FLAGS;
use crate::protocol::LogTls;

/// Lines that are encrypted before the socket takes them are lost when the connection is.
const BUFFER: usize = 16 << 10;

/// Whom to believe, and whom to ask for.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Terms {
    /// Reads the files.
    pub(super) fn read(plan: &LogTls) -> Result<Self, String> {
        let files =
            TlsFiles { ca: plan.ca.clone(), cert: plan.cert.clone(), key: plan.key.clone(), verify: plan.verify };
        let mut known = RootCertStore::empty();
        if plan.verify {
            known.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let config = Arc::new(files.client(known).map_err(|error| error.to_string())?);
        let server = ServerName::try_from(plan.server.clone()).map_err(|error| error.to_string())?;
        Ok(Self { config, server })
    }
}

impl LogTls {
    /// Shakes hands with the server: whether it is who it should be.
    ///
    /// # Errors
    /// A file is not what it should be, or the server is not; in the words that Docker's clients use.
    pub fn greet(&self, stream: TcpStream) -> Result<(), String> {
        let Terms { config, server } = Terms::read(self)?;
        berth_connection::greet(config, server, stream)
    }
}

/// One connection's.
#[derive(Debug)]
pub(super) struct Session {
    connection: Box<ClientConnection>,
}

impl Session {
    pub(super) fn new(terms: &Terms) -> Result<Self, rustls::Error> {
        let mut connection = ClientConnection::new(terms.config.clone(), terms.server.clone())?;
        connection.set_buffer_limit(Some(BUFFER));
        Ok(Self { connection: Box::new(connection) })
    }

    /// Goes on with the handshake, then with what waits in `queue`, as far as the socket goes along.
    pub(super) fn turn(&mut self, socket: &OwnedFd, queue: &mut Queue) -> io::Result<()> {
        self.listen(socket)?;
        loop {
            if !self.connection.is_handshaking() && !queue.is_empty() {
                let taken = self.connection.writer().write(queue.rest())?;
                queue.take(taken);
            }
            if !self.connection.wants_write() {
                return Ok(());
            }
            match self.connection.write_tls(&mut Socket(socket)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// What the server says is between it and TLS; log services have no answers.
    fn listen(&mut self, socket: &OwnedFd) -> io::Result<()> {
        while self.connection.wants_read() {
            match self.connection.read_tls(&mut Socket(socket)) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            let state = self.connection.process_new_packets().map_err(io::Error::other)?;
            let said = state.plaintext_bytes_to_read() as u64;
            io::copy(&mut self.connection.reader().take(said), &mut io::sink())?;
        }
        Ok(())
    }

    /// The socket is to take something, now or once it can.
    pub(super) fn has_to_send(&self, queue: &Queue) -> bool {
        self.connection.wants_write() || (!self.connection.is_handshaking() && !queue.is_empty())
    }

    /// Nothing of what was taken from the queue is still here.
    pub(super) fn is_through(&self) -> bool {
        self.connection.is_handshaking() || !self.connection.wants_write()
    }

    /// Tells the server that nothing more will come, if the socket takes that. A socket that is closed unheard would
    /// forget what it has yet to send.
    pub(super) fn end(&mut self, socket: &OwnedFd) {
        drop(self.listen(socket));
        self.connection.send_close_notify();
        drop(self.connection.write_tls(&mut Socket(socket)));
    }
}

/// A socket as the library wants it, which never waits.
struct Socket<'s>(&'s OwnedFd);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0, buffer, RecvFlags::DONTWAIT)?.0)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, FLAGS)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
