//! TLS as a client speaks it: whom to trust, and which certificate to show, from files. Always rustls with ring.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::anybody::Anybody;
use crate::pem::{authorities, certificates, private_key};

/// Where the certificates lie. A pair is both of `cert` and `key`, or neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities that the server's certificate may come from.
    pub ca: Option<PathBuf>,
    /// The client's certificate, with those between it and its authority behind it.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The server's certificate is verified, its name too. Without it, any server is believed.
    pub verify: bool,
}

/// Why there is no TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The authorities cannot be read, or none is in the file.
    #[error("could not read CA certificate {path:?}: {reason}")]
    Authority {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The pair cannot be read, or its halves do not belong together.
    #[error("Could not load X509 key pair: cert {cert:?}, key {key:?}: {reason}")]
    Pair {
        /// Which file.
        cert: PathBuf,
        /// Which file.
        key: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl TlsFiles {
    /// Reads the files. The authorities in them are trusted besides those `known`.
    ///
    /// # Errors
    /// One of them is missing, or is not what it should be.
    pub fn client(&self, known: RootCertStore) -> Result<ClientConfig, TlsError> {
        let roots = match (self.verify, &self.ca) {
            (true, Some(path)) => {
                let wrong = |reason: String| TlsError::Authority { path: path.clone(), reason };
                Some(authorities(path, known).map_err(wrong)?)
            }
            (true, None) => Some(known),
            (false, _) => None,
        };
        let (cert, key) = (self.cert.clone().unwrap_or_default(), self.key.clone().unwrap_or_default());
        let wrong = |reason: String| TlsError::Pair { cert: cert.clone(), key: key.clone(), reason };
        let own = match (&self.cert, &self.key) {
            (None, None) => None,
            _ => Some((certificates(&cert).map_err(wrong)?, private_key(&key).map_err(wrong)?)),
        };
        client(roots, own).map_err(|error| wrong(error.to_string()))
    }
}

/// A certificate, with those between it and its authority behind it, and its key.
pub type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// TLS that believes who comes from `roots`, or without them anybody, and shows `own`.
///
/// # Errors
/// The key is none that ring knows, or not the certificate's.
pub fn client(roots: Option<RootCertStore>, own: Option<Own>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3");
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    };
    match own {
        None => Ok(builder.with_no_client_auth()),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key),
    }
}

/// Shakes hands over a connection and lets it go: whether the server is there, is who it should be, and wants us.
///
/// # Errors
/// In the words that Docker's clients use.
pub fn greet(config: Arc<ClientConfig>, server: ServerName<'static>, mut stream: TcpStream) -> Result<(), String> {
    let mut connection = ClientConnection::new(config, server).map_err(|error| explain(&error))?;
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            return Err(explain_io(&error));
        }
    }
    connection.send_close_notify();
    // It goes anyway.
    drop(connection.write_tls(&mut stream));
    Ok(())
}

fn explain_io(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => explain(error),
        None if error.kind() == ErrorKind::UnexpectedEof => "EOF".to_owned(),
        None if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => "i/o timeout".to_owned(),
        None => error.to_string(),
    }
}

/// What a failed handshake, or an alert after it, means, in the words that Docker's clients use.
#[must_use]
pub fn explain(error: &rustls::Error) -> String {
    use rustls::{AlertDescription as Alert, CertificateError as Bad, Error, InvalidMessage};
    match error {
        Error::AlertReceived(Alert::CertificateRequired) => "remote error: tls: certificate required".to_owned(),
        Error::AlertReceived(Alert::BadCertificate | Alert::UnknownCA) => format!(
            "the server probably has client authentication (--tlsverify) enabled; check your TLS client certification \
             settings: remote error: tls: {}",
            if matches!(error, Error::AlertReceived(Alert::UnknownCA)) {
                "unknown certificate authority"
            } else {
                "bad certificate"
            }
        ),
        Error::AlertReceived(alert) => format!("remote error: tls: {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "http: server gave HTTP response to HTTPS client".to_owned()
        }
        Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "tls: failed to verify certificate: x509: certificate signed by unknown authority".to_owned()
        }
        Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            "tls: failed to verify certificate: x509: certificate has expired or is not yet valid".to_owned()
        }
        Error::InvalidCertificate(reason) => format!("tls: failed to verify certificate: x509: {reason}"),
        other => format!("tls: {other}"),
    }
}
