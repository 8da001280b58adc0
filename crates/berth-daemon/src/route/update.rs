//! Changing a container that is made.

use berth_api::HostConfig;
use berth_api::container::UpdateResponse;
use http::StatusCode;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::{Call, invalid_json};
use crate::wire::update::Changes;

/// `POST /containers/{name}/update`: the body is the part of `HostConfig` that can change.
pub(crate) async fn update(mut call: Call) -> Result<Answer, ApiError> {
    let body = call.required_json().await?;
    let host: HostConfig = berth_api::decode::from_slice(&body).map_err(|error| invalid_json(&error))?;
    let Changes { limits, policy, left } = Changes::try_from(&host)?;
    let mut warnings = call.daemon.engine.containers().update(call.name(), limits, policy).await?;
    warnings
        .extend(left.iter().map(|field| format!("{field} cannot be changed once a container is made: left as is.")));
    let warnings = Some(warnings).filter(|warnings| !warnings.is_empty());
    Ok(answer::json(StatusCode::OK, &UpdateResponse { warnings }))
}
