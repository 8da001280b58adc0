//! Images: list, inspect, remove.

use std::collections::{BTreeSet, HashMap};

use berth_api::ApiVersion;
use berth_api::image::ImageDeleted;
use berth_image::{DeleteOptions, Deleted, ErrorKind, Image};
use berth_oci::{ImageId, Platform};
use http::StatusCode;

use super::image_events;
use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::steps::{self, Object};
use crate::wire::image::{self, Surroundings};
use crate::wire::image_filter::Wanted;

impl From<berth_image::Error> for ApiError {
    fn from(error: berth_image::Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthorized => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, chain(&error))
    }
}

/// The error and its causes in one sentence.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// `GET /images/json`
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let daemon = &call.daemon;
    let query = &call.query;
    let wanted = Wanted::parse(query.filters()?, query.flag("all"), |name| Ok(daemon.images.resolve(name)?))?;
    let around = surroundings(daemon)?;
    let shared = if query.flag("shared-size") { Some(shared_sizes(daemon)?) } else { None };
    let mut lines = Vec::new();
    for found in &daemon.images.list()? {
        let is_base = around.is_base(found);
        let mut line = around.summary(found);
        if !wanted.allows(found, is_base) || !wanted.narrow(&mut line, is_base) {
            continue;
        }
        if let Some(size) = shared.as_ref().and_then(|sizes| sizes.get(&found.id)) {
            line.shared_size = i64::try_from(*size).unwrap_or(i64::MAX);
        }
        if query.flag("manifests") {
            line.manifests = Some(vec![around.manifest(found, daemon.images.content_size(found)?)]);
        }
        lines.push(line);
    }
    lines.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    Ok(steps::json(call.version, Object::Images, StatusCode::OK, &lines))
}

/// What stands on images, and what they were made of.
pub(super) fn surroundings(daemon: &Daemon) -> Result<Surroundings, ApiError> {
    let views = daemon.engine.containers().list();
    let containers = views.iter().map(|view| (view.image_id.to_string(), view.id.to_string()));
    Ok(Surroundings::new(containers, daemon.images.parents()?))
}

/// Bytes of each image that other images have too.
fn shared_sizes(daemon: &Daemon) -> Result<HashMap<ImageId, u64>, ApiError> {
    let usage = daemon.images.usage()?;
    Ok(usage.images.into_iter().map(|used| (used.image.id, used.shared)).collect())
}

/// The image that the path names, which has to be for the `platform` asked for.
pub(super) fn found(call: &Call) -> Result<Image, ApiError> {
    let found = call.daemon.images.resolve(call.name())?;
    let asked = call.query.text("platform");
    if !asked.is_empty() {
        provides(&found, call.name(), &platform(asked)?)?;
    }
    Ok(found)
}

fn provides(image: &Image, name: &str, platform: &Platform) -> Result<(), ApiError> {
    match platform.suits(&image.platform()) {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found(format!(
            "image with reference {name} was found but does not provide the specified platform ({platform})"
        ))),
    }
}

/// `GET /images/{name}/json`
pub(crate) async fn inspect(call: Call) -> Result<Answer, ApiError> {
    if call.query.flag("manifests") && !call.query.text("platform").is_empty() {
        return Err(ApiError::invalid("conflicting options: manifests and platform options cannot both be set"));
    }
    let (daemon, found) = (&call.daemon, found(&call)?);
    let old = call.version < ApiVersion::new(1, 45);
    let parent = daemon.images.parent(&found.id)?;
    let mut shown = image::inspect(&found, parent.as_ref(), &daemon.facts.driver, old);
    if call.query.flag("manifests") {
        shown.manifests = Some(vec![surroundings(daemon)?.manifest(&found, daemon.images.content_size(&found)?)]);
    }
    Ok(steps::json(call.version, Object::Image, StatusCode::OK, &shown))
}

/// A platform in a query: JSON.
pub(crate) fn platform(text: &str) -> Result<Platform, ApiError> {
    serde_json::from_str(text).map_err(|error| ApiError::invalid(format!("failed to parse platform: {error}")))
}

/// `DELETE /images/{name}`
pub(crate) async fn remove(call: Call) -> Result<Answer, ApiError> {
    // An image has one platform: asked for, the whole image goes with it.
    let platforms = call.query.all("platforms").into_iter().map(platform).collect::<Result<Vec<_>, _>>()?;
    let (daemon, name) = (call.daemon.clone(), call.name().to_owned());
    let alive = daemon.engine.containers().list();
    let running = alive.iter().filter(|view| view.state.counts_as_running()).map(|view| view.id.to_string());
    let options = DeleteOptions {
        force: call.query.flag("force"),
        keep_parents: call.query.flag("noprune"),
        running: running.collect::<BTreeSet<_>>(),
    };
    let deleting = tokio::task::spawn_blocking(move || {
        if !platforms.is_empty() {
            let image = daemon.images.resolve(&name)?;
            platforms.iter().try_for_each(|platform| provides(&image, &name, platform))?;
        }
        let lines = daemon.images.delete(&name, options)?;
        image_events::deleted(&daemon, &lines);
        Ok::<_, ApiError>(lines)
    });
    let lines = deleting.await.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(answer::json(StatusCode::OK, &lines.into_iter().map(line).collect::<Vec<_>>()))
}

/// A line of a deletion's answer.
pub(super) fn line(deleted: Deleted) -> ImageDeleted {
    let gone = |id: String| ImageDeleted { untagged: None, deleted: Some(id) };
    match deleted {
        Deleted::Untagged { name, .. } => ImageDeleted { untagged: Some(name), deleted: None },
        Deleted::Image(image) => gone(image.to_string()),
        Deleted::Layer(layer) => gone(layer.to_string()),
    }
}
