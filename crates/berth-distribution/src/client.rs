//! What all repositories share: connections, trust, tokens, and what was learnt about hosts.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use berth_oci::Reference;

use crate::auth::Tokens;
use crate::endpoint::{Endpoint, endpoints};
use crate::request::Purpose;
use crate::trust::Trust;
use crate::{Credentials, Error, Repository};

/// Without a word, or with next to none, for so long: the connection is taken for dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// How registries are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// By registry (`docker.io`, `host:port`): what is asked before it, in this order (`https://mirror.example`).
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// `host[:port]` or a network (`10.0.0.0/8`): certificates are not verified there, and plain HTTP will do.
    pub insecure: Vec<String>,
    /// How often a request is tried; 0: the usual number.
    pub attempts: u32,
    /// Proxies of the daemon's own; without any, the environment's count.
    pub proxies: Option<Proxies>,
    /// Where `<host[:port]>/ca.crt`, `client.cert` and `client.key` may lie; the first that has the host counts.
    pub certificates: Vec<PathBuf>,
    /// How long a registry may say next to nothing before the connection is given up; none: a minute.
    pub patience: Option<Duration>,
}

impl Config {
    pub(crate) fn patience(&self) -> Duration {
        self.patience.unwrap_or(PATIENCE)
    }
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
    http: Mutex<HashMap<(Trust, Way), reqwest::Client>>,
    pub(crate) tokens: Tokens,
    /// Hosts of which the scheme is known by now, of those where it may be either.
    schemes: Mutex<HashMap<String, &'static str>>,
}

/// Which way most of the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    /// Answers come, and have to keep coming.
    In,
    /// A long body goes out before there is an answer; whoever sends it watches it.
    Out,
}

impl Client {
    /// Opens no connection and reads no file.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let inner = Inner { config, http: Mutex::default(), tokens: Tokens::default(), schemes: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// The repository that a reference names, to take from.
    #[must_use]
    pub fn repository(&self, reference: &Reference, credentials: Option<Credentials>) -> Repository {
        let endpoints = endpoints(reference.domain(), &self.inner.config);
        Repository::new(self.clone(), endpoints, reference.path(), credentials, Purpose::Pull)
    }

    /// The repository that a reference names, to bring something: mirrors have no part in it.
    #[must_use]
    pub fn repository_for_push(&self, reference: &Reference, credentials: Option<Credentials>) -> Repository {
        let mut endpoints = endpoints(reference.domain(), &self.inner.config);
        endpoints.retain(|endpoint| !endpoint.mirror);
        Repository::new(self.clone(), endpoints, reference.path(), credentials, Purpose::Push)
    }
}

impl Inner {
    /// The connections for a kind of trust, made when they are first wanted.
    pub(crate) fn http(&self, trust: &Trust, way: Way) -> Result<reqwest::Client, Error> {
        let key = (trust.clone(), way);
        let mut clients = lock(&self.http);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let tls = trust.tls()?;
        let client =
            build(trust, way, tls, &self.config).map_err(|e| Error::Malformed(format!("preparing for HTTP: {e}")))?;
        clients.insert(key, client.clone());
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

fn build(
    trust: &Trust,
    way: Way,
    tls: rustls::ClientConfig,
    config: &Config,
) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))
        // Redirects are followed by us, who know what may go along.
        .redirect(reqwest::redirect::Policy::none())
        // Layers come side by side over connections of their own: none waits for another's window.
        .http1_only()
        .connect_timeout(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(15))
        .referer(false);
    let builder = if way == Way::In { builder.read_timeout(config.patience()) } else { builder };
    match (trust.local, &config.proxies) {
        (true, _) => builder.no_proxy().build(),
        (false, None) => builder.build(),
        (false, Some(proxies)) => through(builder.no_proxy(), proxies)?.build(),
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
