//! Calls about registries: logging in, searching.

use berth_api::Filters;
use berth_api::registry::{AuthAnswer, AuthConfig, SearchResult};
use http::Method;

use crate::images::registry_auth;
use crate::query::Path;
use crate::system::filters;
use crate::{Client, Error};

/// What to look for.
#[derive(Debug, Clone, Default)]
pub struct SearchOptions {
    /// `term`, or `registry/term`.
    pub term: String,
    /// At most so many; none: the daemon's usual number.
    pub limit: Option<i64>,
    /// `is-official`, `stars`, ….
    pub filters: Filters,
    /// Credentials.
    pub auth: Option<AuthConfig>,
}

impl Client {
    /// Shows credentials to a registry.
    ///
    /// # Errors
    /// 401: it does not take them.
    pub async fn login(&self, auth: &AuthConfig) -> Result<AuthAnswer, Error> {
        self.call(Method::POST, Path::new(&["auth"])).json(auth).decode().await
    }

    /// Searches the index of Docker Hub or of another registry.
    ///
    /// # Errors
    /// What the index said.
    pub async fn search(&self, options: &SearchOptions) -> Result<Vec<SearchResult>, Error> {
        let path = Path::new(&["images", "search"])
            .text("term", &options.term)
            .number("limit", options.limit)
            .text("filters", &filters(&options.filters));
        let mut call = self.call(Method::GET, path);
        if let Some(auth) = &options.auth {
            call = call.header(http::HeaderName::from_static("x-registry-auth"), registry_auth(auth)?);
        }
        call.decode().await
    }
}
