//! The client: what is shared between repositories.

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Tried in order before Docker Hub (`https://mirror.example`).
    pub mirrors: Vec<String>,
    /// `host[:port]` or a network (`10.0.0.0/8`): certificates are not verified there, and plain HTTP will do.
    pub insecure: Vec<String>,
}

/// A client of all registries.
#[derive(Debug)]
pub struct Client {
    _config: Config,
}

impl Client {
    /// Opens no connection and reads no file.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { _config: config }
    }
}

impl Client {
    /// Stub.
    #[must_use]
    pub fn repository(
        &self,
        _reference: &berth_oci::Reference,
        _credentials: Option<crate::Credentials>,
    ) -> crate::Repository {
        crate::Repository
    }
}
