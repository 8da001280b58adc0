//! What all repositories share: connections, trust, tokens, and what was learnt about hosts.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use berth_oci::Reference;
use http::StatusCode;
use reqwest::{Response, Url};

use crate::auth::Tokens;
use crate::endpoint::{Endpoint, endpoints};
use crate::proxy::{self, Proxies};
use crate::request::{Purpose, Request, method_name};
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
    http: Mutex<HashMap<Kind, reqwest::Client>>,
    proxies: Proxies,
    pub(crate) tokens: Tokens,
    /// Hosts of which the scheme is known by now, of those where it may be either.
    schemes: Mutex<HashMap<String, &'static str>>,
}

/// What connections have in common: whom they believe, which way the bytes go, and through which proxy.
type Kind = (Trust, Way, Option<Url>);

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
        let proxies = config.proxies.clone().unwrap_or_else(Proxies::from_environment);
        let (tokens, schemes) = (Tokens::default(), Mutex::default());
        let inner = Inner { config, http: Mutex::default(), proxies, tokens, schemes };
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
    /// The connections to where a URL leads, for a kind of trust, made when they are first wanted.
    pub(crate) fn http(&self, url: &Url, trust: &Trust, way: Way) -> Result<reqwest::Client, Error> {
        let proxy = self.proxies.of(url)?;
        let key = (trust.clone(), way, proxy.clone());
        let mut clients = lock(&self.http);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let tls = trust.tls()?;
        let client = build(way, tls, proxy.as_ref(), &self.config)
            .map_err(|e| Error::Malformed(format!("preparing for HTTP: {e}")))?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// The same failure, in words that name the proxy that stood in between.
    pub(crate) fn explain(&self, url: &Url, error: Error) -> Error {
        match self.proxies.of(url) {
            Ok(Some(proxy)) => proxy::explain(&proxy, error),
            _ => error,
        }
    }

    /// The answer, unless a proxy has answered instead that it does not know us.
    pub(crate) fn passed(&self, request: &Request, url: &Url, answer: Response) -> Result<Response, Error> {
        if answer.status() != StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Ok(answer);
        }
        match self.proxies.of(url)? {
            Some(proxy) => Err(proxy::unauthorized(method_name(&request.method), url.as_str(), &proxy::shown(&proxy))),
            None => Ok(answer),
        }
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
    way: Way,
    tls: rustls::ClientConfig,
    proxy: Option<&Url>,
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
    let builder = builder.no_proxy();
    match proxy {
        None => builder.build(),
        Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.clone())?).build(),
    }
}
