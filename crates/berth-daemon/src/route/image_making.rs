//! Images made of images, which is ours: `POST /images/{name}/flatten` and `POST /images/{name}/rebase`.

use std::sync::Arc;

use berth_api::image_contents::ImageMade;
use berth_image::{Image, Rebased};
use berth_oci::{ImageId, Reference};
use http::StatusCode;

use super::{image_events, images};
use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;

/// `POST /images/{name}/flatten?t=NAME`: an image of one layer with the same contents.
pub(crate) async fn flatten(call: Call) -> Result<Answer, ApiError> {
    let (image, target, daemon) = (images::found(&call)?, target(&call)?, call.daemon.clone());
    let making = tokio::task::spawn_blocking(move || {
        let id = daemon.images.flatten(&image, target.as_ref())?;
        made(&daemon, &id, target.as_ref(), Vec::new())
    });
    making.await.map_err(|error| ApiError::internal(error.to_string()))?
}

/// `POST /images/{name}/rebase?onto=NAME&from=NAME&t=NAME`: an image's own layers on another base.
pub(crate) async fn rebase(call: Call) -> Result<Answer, ApiError> {
    let (image, target, daemon) = (images::found(&call)?, target(&call)?, call.daemon.clone());
    let named = |name: &str| -> Result<Option<Image>, ApiError> {
        let name = call.query.text(name);
        if name.is_empty() { Ok(None) } else { Ok(Some(daemon.images.resolve(name)?)) }
    };
    let from = named("from")?;
    let onto = named("onto")?.ok_or_else(|| ApiError::invalid("which base it goes onto has to be said: onto=NAME"))?;
    let guessed = from.is_none();
    let (store, name, id) = (daemon.images.clone(), target.clone(), image.id.clone());
    let put = Arc::new(move || store.rebase(&image, from.as_ref(), &onto, name.as_ref()));
    let rebased = match blocking(put.clone()).await? {
        // What is not kept may be had once more, where it came from.
        Err(berth_image::Error::BlobAway { .. }) => {
            let _recalled = daemon.images.recall(&id, None).await?;
            blocking(put).await??
        }
        done => done?,
    };
    let warnings = warnings(&daemon, guessed, &rebased);
    made(&daemon, &rebased.id, target.as_ref(), warnings)
}

async fn blocking<T: Send + 'static>(work: Arc<dyn Fn() -> T + Send + Sync>) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(move || work()).await.map_err(|error| ApiError::internal(error.to_string()))
}

/// What the new image is to be called.
fn target(call: &Call) -> Result<Option<Reference>, ApiError> {
    crate::wire::files::reference(call.query.text("t"), "")
}

fn made(
    daemon: &Arc<Daemon>,
    id: &ImageId,
    name: Option<&Reference>,
    warnings: Vec<String>,
) -> Result<Answer, ApiError> {
    if let Some(name) = name {
        image_events::tell(daemon, "tag", &daemon.images.resolve(id.as_str())?, &name.familiar());
    }
    Ok(answer::json(StatusCode::CREATED, &ImageMade { id: id.to_string(), warnings }))
}

/// So many paths are told by name.
const TOLD: usize = 10;

/// What somebody should look at; `guessed`: nobody said what the image stood on.
fn warnings(daemon: &Daemon, guessed: bool, rebased: &Rebased) -> Vec<String> {
    let mut warnings = Vec::new();
    if guessed {
        let from = daemon.images.resolve(rebased.from.as_str());
        let from = from.ok().and_then(|image| image.repo_tags.first().or(image.repo_digests.first()).cloned());
        let from = from.unwrap_or_else(|| rebased.from.short().to_owned());
        let (count, s) = (rebased.own_layers, if rebased.own_layers == 1 { "" } else { "s" });
        warnings
            .push(format!("taken for its base so far: {from}; {count} layer{s} of its own (say otherwise: --from)"));
    }
    let (told, more) = rebased.conflicts.split_at(rebased.conflicts.len().min(TOLD));
    if !told.is_empty() {
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        warnings.push(format!(
            "its own layers have or remove what the new base has otherwise than the old one: {}{more}",
            told.join(", ")
        ));
    }
    warnings
}
