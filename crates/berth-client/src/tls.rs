//! TLS with a daemon.

use std::sync::Arc;

use berth_connection::TlsFiles;
use rustls::{ClientConfig, RootCertStore};

/// TLS as a connection uses it; clones share everything.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
}

/// Why there is no TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is missing, or is not what it should be.
    #[error(transparent)]
    Files(#[from] berth_connection::TlsError),
    /// The daemon is to be verified, but nobody is trusted.
    #[error("no CA certificate to verify the daemon with: give --tlscacert or put ca.pem into DOCKER_CERT_PATH")]
    NobodyTrusted,
}

impl Tls {
    /// Reads the files; whom they do not name is not trusted.
    ///
    /// # Errors
    /// One of them is missing, or is not what it should be.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        if files.verify && files.ca.is_none() {
            return Err(TlsError::NobodyTrusted);
        }
        Ok(Self { config: Arc::new(files.client(RootCertStore::empty())?) })
    }

    pub(crate) fn connector(&self) -> tokio_rustls::TlsConnector {
        self.config.clone().into()
    }
}
