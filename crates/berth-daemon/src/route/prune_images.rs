//! `POST /images/prune`: images that nothing needs go. `GET`, which is ours, says which would.

use std::collections::BTreeMap;

use berth_api::image::{ImageDeleted, ImagesPruned};
use berth_engine::EventKind;
use berth_image::{Deleted, Image, Pruned};
use http::StatusCode;
use jiff::Timestamp;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::image::created;
use crate::wire::prune::Unwanted;

/// `POST /images/prune`
pub(crate) async fn images(call: Call) -> Result<Answer, ApiError> {
    let pruned = prune(&call, false).await?;
    let events = call.daemon.engine.events();
    for (image, lines) in &pruned.images {
        let attributes = BTreeMap::from([("name".to_owned(), image.to_string())]);
        for line in lines {
            match line {
                Deleted::Untagged(_) => events.publish(EventKind::Image, "untag", image.as_str(), attributes.clone()),
                Deleted::Deleted(digest) if digest == image.digest() => {
                    events.publish(EventKind::Image, "delete", image.as_str(), attributes.clone());
                }
                Deleted::Deleted(_) => {}
            }
        }
    }
    events.publish(EventKind::Image, "prune", "", [("reclaimed".to_owned(), pruned.freed.to_string())].into());
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
    let only_dangling = match filters.get("dangling").next() {
        None | Some("true" | "1" | "t") => true,
        Some("false" | "0" | "f") => false,
        Some(other) => return Err(ApiError::invalid(format!("invalid filter 'dangling=[{other}]'"))),
    };
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
    let lines = pruned.images.into_iter().flat_map(|(_, lines)| lines).map(|line| match line {
        Deleted::Untagged(name) => ImageDeleted { untagged: Some(name), deleted: None },
        Deleted::Deleted(digest) => ImageDeleted { untagged: None, deleted: Some(digest.to_string()) },
    });
    ImagesPruned { images_deleted: Some(lines.collect()), space_reclaimed: pruned.freed }
}
