//! TLS on TCP: the daemon's certificate, and whose clients it lets in.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use berth_connection::{Stream, authorities, certificates, private_key};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The first byte of every TLS connection; no HTTP method begins with it.
const RECORD: u8 = 0x16;

/// What the user said about TLS on TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) ca: PathBuf,
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    /// Clients must show a certificate of the authority.
    pub(crate) verify: bool,
}

/// Why the daemon cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("could not load X509 key pair (cert: {}, key: {}): {reason}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, reason: String },
    #[error("could not read CA certificate {}: {reason}", ca.display())]
    Authority { ca: PathBuf, reason: String },
}

impl TlsOptions {
    /// Reads the files.
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
        let builder = match self.verify {
            false => builder.with_no_client_auth(),
            true => {
                let wrong = |reason: String| TlsError::Authority { ca: self.ca.clone(), reason };
                let roots = Arc::new(authorities(&self.ca, RootCertStore::empty()).map_err(wrong)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| wrong(error.to_string()))?)
            }
        };
        let wrong = |reason: String| TlsError::Pair { cert: self.cert.clone(), key: self.key.clone(), reason };
        let chain = certificates(&self.cert).map_err(wrong)?;
        let key = private_key(&self.key).map_err(wrong)?;
        let config = builder.with_single_cert(chain, key).map_err(|error| wrong(error.to_string()))?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Shakes hands. A client that speaks plain HTTP is told so in HTTP.
pub(crate) async fn greet(mut stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<Stream> {
    let greeted = tokio::time::timeout(HANDSHAKE, async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != RECORD {
            let answer = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            stream.write_all(answer).await?;
            stream.shutdown().await?;
            drain(&mut stream).await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP where TLS is spoken"));
        }
        acceptor.accept(stream).await.map(|stream| Stream::Tls(Box::new(stream.into())))
    });
    greeted.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Reads what is there to its end: closing with unread bytes would reset the connection and lose the answer.
async fn drain(stream: &mut TcpStream) {
    use tokio::io::AsyncReadExt;
    let mut buffer = [0; 1024];
    let rest = async { while matches!(stream.read(&mut buffer).await, Ok(length) if length > 0) {} };
    let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
}
