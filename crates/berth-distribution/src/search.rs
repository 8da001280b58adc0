//! Searching the index of Docker Hub, or that of another registry: `GET /v1/search`.

use serde::Deserialize;

use crate::client::Client;
use crate::endpoint::{Endpoint, endpoints};
use crate::plain::Plain;
use crate::request::bounded_body;
use crate::{Credentials, Error};

/// The index is not where the registry is.
const HUB_INDEX: &str = "index.docker.io";
const MAX_ANSWER: usize = 8 << 20;
const MOST: u32 = 100;
const USUAL: u32 = 25;

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// `term`, or `registry/term`.
    pub term: String,
    /// How many results at most, 1 to 100; none: 25.
    pub limit: Option<u32>,
    /// Only official images, or only others.
    pub official: Option<bool>,
    /// Only images that the index built by itself, of which there are none any more.
    pub automated: bool,
    /// At least so many stars.
    pub stars: u64,
}

/// An image that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Repository.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// How many users like it.
    pub star_count: u64,
    /// It is one of Docker's official images.
    pub is_official: bool,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    results: Option<Vec<Found>>,
}

impl Search {
    /// Whether there can be such a search.
    ///
    /// # Errors
    /// A sentence: what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if let Some(limit) = self.limit.filter(|limit| !(1..=MOST).contains(limit)) {
            return Err(format!("Limit {limit} is outside the range of [1, {MOST}]"));
        }
        match self.term.split_once("://") {
            Some(_) => Err(format!("invalid repository name: {:?} should not contain a scheme (://)", self.term)),
            None => Ok(()),
        }
    }

    /// The registry whose index is asked, and the term it is asked for.
    fn split(&self) -> (&str, &str) {
        match self.term.split_once('/') {
            Some((host, term)) if host.contains(['.', ':']) || host == "localhost" => match host {
                "docker.io" | HUB_INDEX => (HUB_INDEX, official_name(term)),
                host => (host, term),
            },
            _ => (HUB_INDEX, official_name(&self.term)),
        }
    }

    fn passes(&self, found: &Found) -> bool {
        self.official.is_none_or(|official| official == found.is_official) && found.star_count >= self.stars
    }
}

/// The registry that a search asks, as credentials are kept for it.
#[must_use]
pub fn searched_registry(term: &str) -> &str {
    match (Search { term: term.to_owned(), ..Search::default() }).split().0 {
        HUB_INDEX => berth_oci::DEFAULT_DOMAIN,
        _ => term.split('/').next().unwrap_or_default(),
    }
}

/// The index knows `library/busybox` as `busybox`.
fn official_name(term: &str) -> &str {
    term.strip_prefix("library/").unwrap_or(term)
}

impl Client {
    /// Searches an index.
    ///
    /// # Errors
    /// What the index said, or what stood between us and it.
    pub async fn search(&self, search: &Search, credentials: Option<&Credentials>) -> Result<Vec<Found>, Error> {
        search.check().map_err(Error::Malformed)?;
        if search.automated {
            return Ok(Vec::new());
        }
        let (host, term) = search.split();
        let limit = search.limit.unwrap_or(USUAL);
        let mut failed = None;
        for endpoint in endpoints(host, &self.inner.config).iter().filter(|e| !e.mirror) {
            match self.search_at(endpoint, term, limit, credentials).await {
                Ok(found) => return Ok(found.into_iter().filter(|found| search.passes(found)).collect()),
                Err(error @ Error::Transport { .. }) if endpoint.alternative => _ = failed.get_or_insert(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::Malformed("there is no index to ask".into())))
    }

    async fn search_at(
        &self,
        endpoint: &Endpoint,
        term: &str,
        limit: u32,
        credentials: Option<&Credentials>,
    ) -> Result<Vec<Found>, Error> {
        let place = format!("{}://{}/v1/search", endpoint.scheme, endpoint.host);
        let query = [("q", term.to_owned()), ("n", limit.to_string())];
        let url = reqwest::Url::parse_with_params(&place, query)
            .map_err(|error| Error::Malformed(format!("{place:?} is no address: {error}")))?;
        let scope = "registry:catalog:search";
        let plain = Plain { client: self, endpoint, credentials, scope, offline: false };
        let response = plain.get(url.as_str()).await?.response;
        if !response.status().is_success() {
            let (url, status) = (url.to_string(), response.status().as_u16());
            return Err(Error::Status { method: "Get", url, status });
        }
        let body = bounded_body(response, MAX_ANSWER).await?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| Error::Malformed(format!("error decoding registry search results: {error}")))?;
        // Not every index knows how to count.
        Ok(answer.results.unwrap_or_default().into_iter().take(limit as usize).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(term: &str) -> Search {
        Search { term: term.into(), ..Search::default() }
    }

    #[test]
    fn whose_index() {
        for (term, host, rest) in [
            ("mysql", HUB_INDEX, "mysql"),
            ("library/mysql", HUB_INDEX, "mysql"),
            ("team/app", HUB_INDEX, "team/app"),
            ("docker.io/library/mysql", HUB_INDEX, "mysql"),
            ("h:5000/team/app", "h:5000", "team/app"),
            ("localhost/x", "localhost", "x"),
            ("reg.example/library/x", "reg.example", "library/x"),
        ] {
            assert_eq!(search(term).split(), (host, rest), "{term}");
        }
        assert_eq!(searched_registry("x"), "docker.io");
        assert_eq!(searched_registry("h:5000/x"), "h:5000");
    }

    #[test]
    fn limits_and_filters() {
        let limited = |limit| Search { limit: Some(limit), ..search("x") }.check();
        assert_eq!(limited(101), Err("Limit 101 is outside the range of [1, 100]".to_owned()));
        assert!(limited(0).is_err() && limited(1).is_ok() && limited(100).is_ok());
        assert!(search("http://h/x").check().is_err());
        let found = |stars, official| Found { star_count: stars, is_official: official, ..Found::default() };
        let wanted = Search { official: Some(false), stars: 5, ..search("x") };
        assert!(wanted.passes(&found(5, false)) && !wanted.passes(&found(4, false)) && !wanted.passes(&found(9, true)));
    }
}
