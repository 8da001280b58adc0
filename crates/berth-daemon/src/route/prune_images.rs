//! `POST /images/prune`: images that nothing needs go. `GET`, which is ours, says which would.

use berth_api::image::ImagesPruned;
use berth_engine::EventKind;
use berth_image::{Image, Pruned};
use http::StatusCode;
use jiff::Timestamp;

use super::{image_events, images};
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::image::created;
use crate::wire::image_filter::dangling;
use crate::wire::prune::Unwanted;

/// `POST /images/prune`
pub(crate) async fn prune_images(call: Call) -> Result<Answer, ApiError> {
    let pruned = prune(&call, false).await?;
    image_events::deleted(&call.daemon, &pruned.lines);
    let reclaimed = [("reclaimed".to_owned(), pruned.freed.to_string())].into();
    call.daemon.engine.events().publish(EventKind::Image, "prune", "", reclaimed);
    Ok(answer::json(StatusCode::OK, &shown(pruned)))
}

/// `GET /images/prune`: the answer that `POST` would give, and nothing is done.
pub(crate) async fn would_go(call: Call) -> Result<Answer, ApiError> {
    Ok(answer::json(StatusCode::OK, &shown(prune(&call, true).await?)))
}

/// `POST` and `GET /build/prune`: nothing is built here yet, so no build has left anything behind.
pub(crate) async fn build_cache(call: Call) -> Result<Answer, ApiError> {
    call.query.filters()?;
    Ok(answer::json(StatusCode::OK, &serde_json::json!({ "CachesDeleted": null, "SpaceReclaimed": 0 })))
}

async fn prune(call: &Call, dry: bool) -> Result<Pruned, ApiError> {
    let filters = call.query.filters()?;
    let only_dangling = dangling(&filters)?.unwrap_or(true);
    let unwanted = Unwanted::parse(filters, &["dangling"], Timestamp::now())?;
    let mut chosen: Vec<Image> = call.daemon.images.list()?;
    chosen.retain(|image| {
        let dangling = image.repo_tags.is_empty();
        (dangling || !only_dangling) && unwanted.includes(created(image), &image.config.labels())
    });
    let daemon = call.daemon.clone();
    let pruned = tokio::task::spawn_blocking(move || daemon.images.prune(&chosen, dry)).await;
    Ok(pruned.map_err(|error| ApiError::internal(error.to_string()))??)
}

fn shown(pruned: Pruned) -> ImagesPruned {
    // Go's nothing is null.
    let lines: Vec<_> = pruned.lines.into_iter().map(images::line).collect();
    ImagesPruned { images_deleted: Some(lines).filter(|lines| !lines.is_empty()), space_reclaimed: pruned.freed }
}
