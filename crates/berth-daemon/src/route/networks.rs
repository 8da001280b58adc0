//! The predefined networks.

use berth_api::network::Network;
use http::StatusCode;
use jiff::Timestamp;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::steps::{self, Object};
use crate::wire::network;
use crate::wire::prune::Unwanted;

async fn all(call: &Call) -> Result<Vec<Network>, ApiError> {
    let daemon = call.daemon.clone();
    let shown = tokio::task::spawn_blocking(move || {
        // A bridge that cannot be made on this host is not shown; the reason is in `info`.
        let bridge = daemon.networks.bridge().ok();
        network::all(bridge.as_ref(), &daemon.started, &daemon.engine.containers().list())
    });
    shown.await.map_err(|error| ApiError::internal(error.to_string()))
}

/// `GET /networks`
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let filters = call.query.filters()?;
    const KEYS: [&str; 7] = ["dangling", "driver", "id", "label", "name", "scope", "type"];
    if let Some(key) = filters.keys().find(|key| !KEYS.contains(key)) {
        return Err(ApiError::invalid(format!("invalid filter '{key}'")));
    }
    let mut networks = all(&call).await?;
    networks.retain(|network| {
        filters.allows("name", |name| network.name.contains(name))
            && filters.allows("id", |id| network.id.starts_with(id))
            && filters.allows("driver", |driver| network.driver == driver)
            && filters.allows("scope", |scope| network.scope == scope)
            && filters.allows("type", |kind| kind == "builtin")
            && filters.allows("dangling", |dangling| matches!(dangling, "false" | "0"))
            && !filters.contains("label")
    });
    for network in &mut networks {
        network.containers = None;
    }
    Ok(steps::json(call.version, Object::Networks, StatusCode::OK, &networks))
}

/// `GET /networks/{name}`
pub(crate) async fn inspect(call: Call) -> Result<Answer, ApiError> {
    let network = find(&call).await?;
    Ok(steps::json(call.version, Object::Network, StatusCode::OK, &network))
}

/// `POST` and `GET /networks/prune`: the networks that there are may not be removed, so none is.
pub(crate) async fn prune(call: Call) -> Result<Answer, ApiError> {
    Unwanted::parse(call.query.filters()?, &[], Timestamp::now())?;
    Ok(answer::json(StatusCode::OK, &serde_json::json!({ "NetworksDeleted": null })))
}

/// `DELETE /networks/{name}`: all that there are may not be removed.
pub(crate) async fn remove(call: Call) -> Result<Answer, ApiError> {
    let name = find(&call).await?.name;
    Err(ApiError::new(StatusCode::FORBIDDEN, format!("{name} is a pre-defined network and cannot be removed")))
}

/// By name, id, or an id's beginning.
async fn find(call: &Call) -> Result<Network, ApiError> {
    let name = call.name();
    let networks = all(call).await?;
    let by = |test: &dyn Fn(&Network) -> bool| networks.iter().find(|network| test(network)).cloned();
    by(&|network| network.name == name || network.id == name)
        .or_else(|| by(&|network| network.id.starts_with(name)))
        .ok_or_else(|| ApiError::not_found(format!("network {name} not found")))
}
