//! Docker's contexts, as far as finding a daemon's address goes. Making and changing them is not built yet.

use berth_client::Host;
use berth_oci::Digest;

use crate::config::Config;

/// The context that stands for "none".
pub(crate) const DEFAULT: &str = "default";

#[derive(serde::Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints", default)]
    endpoints: std::collections::BTreeMap<String, Endpoint>,
}

#[derive(serde::Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
}

/// The context that applies where nothing on the command line names a daemon.
pub(crate) fn current(config: &Config) -> String {
    let named = std::env::var("DOCKER_CONTEXT").unwrap_or_default();
    match (named.as_str(), config.current_context()) {
        ("", "") => DEFAULT.to_owned(),
        ("", current) => current.to_owned(),
        (named, _) => named.to_owned(),
    }
}

/// The address a context names; `None` for the default context.
pub(crate) fn host(name: &str, config: &Config) -> Result<Option<Host>, String> {
    if name == DEFAULT || name.is_empty() {
        return Ok(None);
    }
    let id = Digest::of(name.as_bytes());
    let path = config.directory.join("contexts/meta").join(id.hex()).join("meta.json");
    let text = std::fs::read(&path).map_err(|e| {
        let reason = crate::grammar::os_error("open", &path.to_string_lossy(), &e);
        format!("context {name:?}: context not found: {reason}")
    })?;
    let meta: Meta = serde_json::from_slice(&text).map_err(|e| format!("context {name:?}: {e}"))?;
    let endpoint = meta.endpoints.get("docker").ok_or_else(|| format!("context {name:?} has no docker endpoint"))?;
    endpoint.host.parse().map(Some).map_err(|e: berth_client::InvalidHost| e.to_string())
}
