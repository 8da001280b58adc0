//! TLS with a daemon: whom to trust, and which certificate to show. Always rustls with ring.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_connection::Anybody;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Where the certificates lie. A pair is both of `cert` and `key`, or neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities that the daemon's certificate must come from.
    pub ca: Option<PathBuf>,
    /// The client's certificate, with those between it and its authority behind it.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The daemon's certificate is verified, its name too. Without it, any daemon is believed.
    pub verify: bool,
}

/// TLS as a connection uses it; clones share everything.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
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
    /// The daemon is to be verified, but nobody is trusted.
    #[error("no CA certificate to verify the daemon with: give --tlscacert or put ca.pem into DOCKER_CERT_PATH")]
    NobodyTrusted,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them is missing, or is not what it should be.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3");
        let builder = match (files.verify, &files.ca) {
            (true, Some(path)) => builder.with_root_certificates(authorities(path)?),
            (true, None) => return Err(TlsError::NobodyTrusted),
            (false, _) => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let config = match (&files.cert, &files.key) {
            (None, None) => builder.with_no_client_auth(),
            (cert, key) => {
                let (cert, key) = (cert.clone().unwrap_or_default(), key.clone().unwrap_or_default());
                let wrong = |reason: String| TlsError::Pair { cert: cert.clone(), key: key.clone(), reason };
                let (chain, secret) = pair(&cert, &key).map_err(wrong)?;
                builder.with_client_auth_cert(chain, secret).map_err(|error| wrong(error.to_string()))?
            }
        };
        Ok(Self { config: Arc::new(config) })
    }

    pub(crate) fn connector(&self) -> tokio_rustls::TlsConnector {
        self.config.clone().into()
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let wrong = |reason: String| TlsError::Authority { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(describe(&error)))? {
        let certificate = certificate.map_err(|error| wrong(describe(&error)))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(roots) }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn pair(cert: &Path, key: &Path) -> Result<Pair, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
    let chain = chain.map_err(|error| describe(&error))?;
    if chain.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| describe(&error))?;
    Ok((chain, secret))
}

/// Says "No such file or directory" rather than the crate's words around it.
fn describe(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        rustls::pki_types::pem::Error::NoItemsFound => "nothing of the kind in it (an encrypted key?)".to_owned(),
        other => other.to_string(),
    }
}

/// What a failed handshake, or an alert after it, means, in the words that Docker's clients use.
pub(crate) fn explain(error: &rustls::Error) -> String {
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
