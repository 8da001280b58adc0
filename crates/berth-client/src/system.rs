//! Calls about the daemon itself.

use berth_api::check::CheckResponse;
use berth_api::event::EventMessage;
use berth_api::network::Network;
use berth_api::system::{Info, Version};
use berth_api::{ApiVersion, Filters};
use http::Method;

use crate::query::Path;
use crate::{Client, Error, Lines};

/// What `_ping` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ping {
    /// Newest version served.
    pub api_version: Option<ApiVersion>,
    /// `linux`.
    pub os_type: String,
    /// Experimental features are on.
    pub experimental: bool,
    /// `2`: BuildKit.
    pub builder_version: String,
    /// `inactive`, or the node's role.
    pub swarm: String,
}

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct EventsOptions {
    /// Unix time (seconds, with fraction) or RFC 3339.
    pub since: String,
    /// As `since`; the stream ends there.
    pub until: String,
    /// Type, event, container, label, ….
    pub filters: Filters,
}

impl Client {
    /// Asks whether the daemon is there.
    ///
    /// # Errors
    /// It is not.
    pub async fn ping(&self) -> Result<Ping, Error> {
        let answer = self.call(Method::GET, Path::new(&["_ping"])).bare().send().await?;
        let text = |name: &str| {
            let value = answer.response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Ok(Ping {
            api_version: text("Api-Version").parse().ok(),
            os_type: text("Ostype"),
            experimental: text("Docker-Experimental") == "true",
            builder_version: text("Builder-Version"),
            swarm: text("Swarm"),
        })
    }

    /// The daemon's versions.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version(&self) -> Result<Version, Error> {
        self.call(Method::GET, Path::new(&["version"])).decode().await
    }

    /// Everything about the daemon and its host.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn info(&self) -> Result<Info, Error> {
        self.call(Method::GET, Path::new(&["info"])).decode().await
    }

    /// What happens, as it happens.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn events(&self, options: &EventsOptions) -> Result<Lines<EventMessage>, Error> {
        let path = Path::new(&["events"])
            .text("since", &options.since)
            .text("until", &options.until)
            .text("filters", &filters(&options.filters));
        Ok(Lines::new(self.call(Method::GET, path).send().await?))
    }

    /// Networks.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn networks(&self) -> Result<Vec<Network>, Error> {
        self.call(Method::GET, Path::new(&["networks"])).decode().await
    }

    /// The networks that pass `filters`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn networks_that(&self, wanted: &Filters) -> Result<Vec<Network>, Error> {
        self.call(Method::GET, Path::new(&["networks"]).text("filters", &filters(wanted))).decode().await
    }

    /// Removes a network.
    ///
    /// # Errors
    /// 403: it is predefined; 404: it is not there.
    pub async fn remove_network(&self, name: &str) -> Result<(), Error> {
        self.call(Method::DELETE, Path::new(&["networks", name])).done().await
    }

    /// Checks that everything that images and containers need is here and is what it was (berth's own call).
    ///
    /// # Errors
    /// See [`Error`]; that something is wrong is an answer.
    pub async fn check(&self, quick: bool, repair: bool) -> Result<CheckResponse, Error> {
        let path = Path::new(&["berth", "check"]).flag("quick", quick).flag("repair", repair);
        self.call(Method::POST, path).decode().await
    }

    /// Any `GET` that answers JSON, as it came: what `inspect` prints must be the daemon's own words.
    /// `parts` are path segments: `["networks", "bridge"]`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, parts: &[&str], query: &[(&str, &str)]) -> Result<serde_json::Value, Error> {
        let path = query.iter().fold(Path::new(parts), |path, (name, value)| path.text(name, value));
        let name = path.as_str().to_owned();
        let body = self.call(Method::GET, path).bytes().await?;
        serde_json::from_slice(&body).map_err(|source| Error::Decode { path: name, source })
    }
}

/// The encoded filters; empty where nothing is filtered.
pub(crate) fn filters(filters: &Filters) -> String {
    if filters.is_empty() { String::new() } else { filters.encode() }
}
