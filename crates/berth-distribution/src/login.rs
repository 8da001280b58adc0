//! Logging in: whether a registry takes credentials, and the token it gives to be shown instead of them.

use crate::client::Client;
use crate::endpoint::{Endpoint, endpoints};
use crate::plain::Plain;
use crate::{Credentials, Error};

/// Names under which Docker Hub is known.
const HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

impl Client {
    /// Shows credentials to the registry at `server` (`host[:port]`; scheme and path are left out of account, and
    /// nothing means Docker Hub). The answer is an identity token, empty where the registry gives none.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] and [`Error::Login`] when they are refused, or what stood between us and the registry.
    pub async fn login(&self, server: &str, credentials: &Credentials) -> Result<String, Error> {
        let mut failed = None;
        for endpoint in endpoints(&domain(server)?, &self.inner.config).iter().filter(|e| !e.mirror) {
            match self.login_at(endpoint, credentials).await {
                // Where either scheme may be spoken, the first failure says what was tried first.
                Err(error @ Error::Transport { .. }) if endpoint.alternative => _ = failed.get_or_insert(error),
                answer => return answer,
            }
        }
        Err(failed.unwrap_or_else(|| Error::Malformed("there is no registry to ask".into())))
    }

    async fn login_at(&self, endpoint: &Endpoint, credentials: &Credentials) -> Result<String, Error> {
        let plain = Plain { client: self, endpoint, credentials: Some(credentials), scope: "", offline: true };
        let url = endpoint.url("");
        let answered = plain.get(&url).await?;
        let status = answered.response.status();
        if !status.is_success() {
            let reason = status.canonical_reason().unwrap_or_default();
            return Err(Error::Login { url, status: status.as_u16(), reason });
        }
        // A refresh token that was shown goes on being good where no newer one comes back.
        match answered.refresh_token.is_empty() {
            true => Ok(credentials.identity_token.clone()),
            false => Ok(answered.refresh_token),
        }
    }
}

/// `host[:port]` of a server as users and old configuration files write it.
fn domain(server: &str) -> Result<String, Error> {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || HUB_NAMES.contains(&host) {
        return Ok(berth_oci::DEFAULT_DOMAIN.to_owned());
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    match host.chars().all(fits) {
        true => Ok(host.to_owned()),
        false => Err(Error::Address(server.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::domain;

    #[test]
    fn servers_in_every_spelling() {
        for hub in ["", "docker.io", "https://index.docker.io/v1/", "registry-1.docker.io"] {
            assert_eq!(domain(hub).unwrap(), "docker.io");
        }
        for own in ["h:5000", "http://h:5000", "https://h:5000/v1/", "h:5000/"] {
            assert_eq!(domain(own).unwrap(), "h:5000");
        }
        assert_eq!(domain("http://[::1]:5000/v2/").unwrap(), "[::1]:5000");
        assert!(domain("bad host/").unwrap_err().to_string().contains("bad host"));
    }
}
