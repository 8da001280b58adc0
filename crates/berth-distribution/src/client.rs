//! What all repositories share: connections, trust, tokens, and what was learnt about hosts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use berth_oci::Reference;
use rustls::ClientConfig;

use crate::auth::Tokens;
use crate::endpoint::{Endpoint, endpoints};
use crate::{Credentials, Error, Repository};

/// How registries are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Tried in order before Docker Hub (`https://mirror.example`).
    pub mirrors: Vec<String>,
    /// `host[:port]` or a network (`10.0.0.0/8`): certificates are not verified there, and plain HTTP will do.
    pub insecure: Vec<String>,
    /// How often a request is tried; 0: the usual number.
    pub attempts: u32,
    /// Proxies of the daemon's own; without any, the environment's count.
    pub proxies: Option<Proxies>,
}

/// The proxies that registries are reached through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http://`; empty: none.
    pub http: String,
    /// For `https://`; empty: none.
    pub https: String,
    /// Hosts reached without one, separated by commas.
    pub none: String,
}

/// A client of all registries; cheap to clone, every clone is the same client.
///
/// It opens no connection and reads no certificate before the first request needs them: a daemon that pulls nothing
/// pays nothing.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    http: Mutex<HashMap<Trust, reqwest::Client>>,
    pub(crate) tokens: Tokens,
    /// Hosts of which the scheme is known by now, of those where it may be either.
    schemes: Mutex<HashMap<String, &'static str>>,
}

/// Whom a connection believes, and how it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trust {
    /// Only the host's certificate authorities.
    Authorities,
    /// Any certificate, or none.
    Anybody,
    /// As `Anybody`, and never through a proxy: the registry is on this host.
    Local,
}

impl Client {
    /// Opens no connection and reads no file.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let inner = Inner { config, http: Mutex::default(), tokens: Tokens::default(), schemes: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The repository that a reference names.
    #[must_use]
    pub fn repository(&self, reference: &Reference, credentials: Option<Credentials>) -> Repository {
        let endpoints = endpoints(reference.domain(), &self.inner.config);
        Repository::new(self.clone(), endpoints, reference.path(), credentials)
    }
}

impl Inner {
    /// The connections for a kind of trust, made when they are first wanted.
    pub(crate) fn http(&self, trust: Trust) -> Result<reqwest::Client, Error> {
        let mut clients = lock(&self.http);
        if let Some(client) = clients.get(&trust) {
            return Ok(client.clone());
        }
        let client = build(trust, self.config.proxies.as_ref())
            .map_err(|e| Error::Malformed(format!("preparing for HTTP: {e}")))?;
        clients.insert(trust, client.clone());
        Ok(client)
    }

    /// Which scheme worked, where both may.
    pub(crate) fn known_scheme(&self, host: &str) -> Option<&'static str> {
        lock(&self.schemes).get(host).copied()
    }

    pub(crate) fn learn_scheme(&self, endpoint: &Endpoint) {
        if endpoint.alternative {
            lock(&self.schemes).insert(endpoint.host.clone(), endpoint.scheme);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn build(trust: Trust, proxies: Option<&Proxies>) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(trust))
        .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed by us, who know what may go along.
        .redirect(reqwest::redirect::Policy::none())
        // Layers come side by side over connections of their own: none waits for another's window.
        .http1_only()
        .connect_timeout(Duration::from_secs(30))
        .read_timeout(Duration::from_secs(60))
        .pool_idle_timeout(Duration::from_secs(15))
        .referer(false);
    match (trust, proxies) {
        (Trust::Local, _) => builder.no_proxy().build(),
        (_, None) => builder.build(),
        (_, Some(proxies)) => through(builder.no_proxy(), proxies)?.build(),
    }
}

fn through(mut builder: reqwest::ClientBuilder, proxies: &Proxies) -> Result<reqwest::ClientBuilder, reqwest::Error> {
    let except = || reqwest::NoProxy::from_string(&proxies.none);
    if !proxies.http.is_empty() {
        builder = builder.proxy(reqwest::Proxy::http(&proxies.http)?.no_proxy(except()));
    }
    if !proxies.https.is_empty() {
        builder = builder.proxy(reqwest::Proxy::https(&proxies.https)?.no_proxy(except()));
    }
    Ok(builder)
}

fn tls(trust: Trust) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3");
    match trust {
        Trust::Authorities => {
            let mut roots = rustls::RootCertStore::empty();
            let loaded = rustls_native_certs::load_native_certs();
            for error in &loaded.errors {
                tracing::warn!(%error, "a certificate authority of this host cannot be read");
            }
            roots.add_parsable_certificates(loaded.certs);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Anybody | Trust::Local => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(anybody::Anybody(provider)))
            .with_no_client_auth(),
    }
}

/// Takes any certificate, as the user said of this registry.
mod anybody {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Anybody(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}
