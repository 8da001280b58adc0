//! Volumes: list, create, inspect, remove, prune.

use berth_api::ApiVersion;
use berth_api::volume::{CreateVolume, VolumeList, VolumesPruned};
use berth_engine::{NewVolume, Volumes};
use http::StatusCode;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::{Call, invalid_json};
use crate::wire::volume::{self, Pruning, Wanted};

/// Does something with volumes on a thread that may block.
async fn with<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(Volumes) -> berth_engine::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let volumes = call.daemon.engine.volumes();
    let done = tokio::task::spawn_blocking(move || work(volumes)).await;
    Ok(done.map_err(|error| ApiError::internal(error.to_string()))??)
}

/// `GET /volumes`
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let wanted = Wanted::parse(call.query.filters()?)?;
    let mut volumes = with(&call, |volumes| volumes.list()).await?;
    volumes.retain(|volume| wanted.allows(volume));
    let volumes = Some(volumes.iter().map(volume::shown).collect());
    Ok(answer::json(StatusCode::OK, &VolumeList { volumes, warnings: None }))
}

/// `POST /volumes/create`
pub(crate) async fn create(mut call: Call) -> Result<Answer, ApiError> {
    let body = call.required_json().await?;
    let asked: CreateVolume = berth_api::decode::from_slice(&body).map_err(|error| invalid_json(&error))?;
    if asked.cluster_volume_spec.is_some() {
        return Err(ApiError::not_yet("have cluster volumes", "ClusterVolumeSpec"));
    }
    let CreateVolume { name, driver, driver_opts, labels, .. } = asked;
    let new = NewVolume { name, driver, labels, options: driver_opts };
    let made = with(&call, move |volumes| volumes.create(new)).await?;
    Ok(answer::json(StatusCode::CREATED, &volume::shown(&made)))
}

/// `GET /volumes/{name}`; ours: `GET /volumes/prune?dry-run=1` says what a prune would remove.
pub(crate) async fn inspect(call: Call) -> Result<Answer, ApiError> {
    if call.name() == "prune" && call.query.flag("dry-run") {
        return pruned(&call, true).await;
    }
    let name = call.name().to_owned();
    let found = with(&call, move |volumes| volumes.inspect(&name)).await?;
    Ok(answer::json(StatusCode::OK, &volume::shown(&found)))
}

/// `DELETE /volumes/{name}`
pub(crate) async fn remove(call: Call) -> Result<Answer, ApiError> {
    let (name, force) = (call.name().to_owned(), call.query.flag("force"));
    with(&call, move |volumes| volumes.remove(&name, force)).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `POST /volumes/prune`
pub(crate) async fn prune(call: Call) -> Result<Answer, ApiError> {
    pruned(&call, false).await
}

/// Prunes, or only says what would go.
async fn pruned(call: &Call, dry: bool) -> Result<Answer, ApiError> {
    // Before 1.42 whatever nobody uses went; since then, only what nobody named, unless all is asked for.
    let pruning = Pruning::parse(call.query.filters()?, call.version < ApiVersion::new(1, 42))?;
    let pruned = with(call, move |volumes| volumes.prune(dry, |volume| pruning.takes(volume))).await?;
    let answer = VolumesPruned { volumes_deleted: Some(pruned.names), space_reclaimed: pruned.reclaimed };
    Ok(answer::json(StatusCode::OK, &answer))
}
