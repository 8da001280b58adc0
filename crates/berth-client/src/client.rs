//! The client: a host, the version spoken with it, and idle connections.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use berth_api::ApiVersion;
use hyper::client::conn::http1::SendRequest;

use crate::outgoing::Outgoing;
use crate::{Error, Host, Tls};

/// Opens a byte stream to a daemon by other means than the host's address, as `ssh` does.
pub type Dialer = Arc<dyn Fn() -> std::io::Result<std::os::unix::net::UnixStream> + Send + Sync>;

/// How connections are made.
#[derive(Clone, Default)]
pub(crate) enum Way {
    /// As the host's address says.
    #[default]
    Plain,
    /// TLS over the host's TCP address.
    Tls(Tls),
    /// Somebody else makes them.
    Dialed(Dialer),
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Tls(_) => "Tls",
            Self::Dialed(_) => "Dialed",
        })
    }
}

/// A client of one daemon. Clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) host: Host,
    pub(crate) way: Way,
    /// What goes into paths, and whether the daemon may talk it down.
    version: Mutex<(ApiVersion, bool)>,
    idle: Mutex<Vec<SendRequest<Outgoing>>>,
    /// Sent with every request.
    pub(crate) headers: OnceLock<http::HeaderMap>,
}

impl Client {
    /// A client of the daemon at `host`. Nothing is opened yet.
    pub fn connect(host: &Host) -> Self {
        Self::by(host, Way::Plain)
    }

    /// The same client over TLS. Unix sockets know none; there it changes nothing.
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self::by(&self.inner.host, Way::Tls(tls))
    }

    /// The same client over streams that `dialer` opens; the host is a name for errors then.
    #[must_use]
    pub fn with_dialer(self, dialer: Dialer) -> Self {
        Self::by(&self.inner.host, Way::Dialed(dialer))
    }

    fn by(host: &Host, way: Way) -> Self {
        let version = Mutex::new((ApiVersion::MAX, true));
        Self {
            inner: Arc::new(Inner {
                host: host.clone(),
                way,
                version,
                idle: Mutex::new(Vec::new()),
                headers: OnceLock::new(),
            }),
        }
    }

    /// The same client, speaking exactly `version` (as `DOCKER_API_VERSION` asks).
    #[must_use]
    pub fn with_version(self, version: ApiVersion) -> Self {
        *self.inner.version.lock().unwrap_or_else(PoisonError::into_inner) = (version, false);
        self
    }

    /// A connection of its own, opened as for a call, with nothing said on it yet.
    ///
    /// # Errors
    /// The daemon cannot be reached.
    pub async fn dial(&self) -> Result<crate::Stream, Error> {
        crate::connection::reach(&self.inner.host, &self.inner.way).await
    }

    /// The same client, sending these headers with every request. The first call counts.
    #[must_use]
    pub fn with_headers(self, headers: http::HeaderMap) -> Self {
        _ = self.inner.headers.set(headers);
        self
    }

    /// Where the daemon is.
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    /// The version spoken, as far as is known by now.
    pub fn version_spoken(&self) -> ApiVersion {
        self.inner.version.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Asks the daemon for its newest version and speaks the older of the two from now on.
    ///
    /// # Errors
    /// The daemon cannot be reached.
    pub async fn negotiate(&self) -> Result<ApiVersion, Error> {
        let ping = self.ping().await?;
        if let Some(theirs) = ping.api_version {
            self.inner.agree(theirs);
        }
        Ok(self.version_spoken())
    }
}

impl Inner {
    /// Takes the daemon's version over where it is older and ours was not prescribed. Returns whether anything changed.
    pub(crate) fn agree(&self, theirs: ApiVersion) -> bool {
        let mut version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        let older = version.1 && theirs < version.0;
        if older {
            version.0 = theirs;
        }
        older
    }

    pub(crate) fn version(&self) -> ApiVersion {
        self.version.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn take_idle(&self) -> Option<SendRequest<Outgoing>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(sender) = idle.pop() {
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    pub(crate) fn keep(&self, sender: SendRequest<Outgoing>) {
        if !sender.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        }
    }
}
