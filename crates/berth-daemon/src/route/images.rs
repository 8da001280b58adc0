//! Images: list, inspect, remove.

use std::collections::{BTreeMap, BTreeSet};

use berth_api::image::ImageDeleted;
use berth_engine::EventKind;
use berth_image::{DeleteOptions, Deleted, ErrorKind};
use berth_oci::Platform;
use http::StatusCode;

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::steps::{self, Object};
use crate::wire::image::{self, Wanted};

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
    let wanted = Wanted::parse(call.query.filters()?, |name| Ok(daemon.images.resolve(name)?))?;
    let views = daemon.engine.containers().list();
    let users: Vec<String> = views.iter().map(|view| view.image_id.to_string()).collect();
    let users = image::count(users.iter().map(String::as_str));
    let mut lines = Vec::new();
    for found in daemon.images.list()?.iter().filter(|found| wanted.allows(found)) {
        let mut line = image::summary(found, users.get(found.id.to_string().as_str()).copied().unwrap_or(0));
        if wanted.narrow(&mut line) {
            lines.push(line);
        }
    }
    lines.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    Ok(steps::json(call.version, Object::Images, StatusCode::OK, &lines))
}

/// `GET /images/{name}/json`
pub(crate) async fn inspect(call: Call) -> Result<Answer, ApiError> {
    let found = call.daemon.images.resolve(call.name())?;
    let asked = call.query.text("platform");
    if !asked.is_empty() {
        let platform = platform(asked)?;
        if platform.suits(&found.platform()).is_none() {
            return Err(ApiError::not_found(format!(
                "image with reference {} was found but does not provide the specified platform ({platform})",
                call.name()
            )));
        }
    }
    let shown = image::inspect(&found, &call.daemon.facts.driver);
    Ok(steps::json(call.version, Object::Image, StatusCode::OK, &shown))
}

/// A platform in a query: JSON.
fn platform(text: &str) -> Result<Platform, ApiError> {
    serde_json::from_str(text).map_err(|error| ApiError::invalid(format!("failed to parse platform: {error}")))
}

/// `DELETE /images/{name}`
pub(crate) async fn remove(call: Call) -> Result<Answer, ApiError> {
    if !call.query.text("platforms").is_empty() {
        return Err(ApiError::not_yet("keep several platforms of an image", "--platform, platforms"));
    }
    let (daemon, name) = (call.daemon.clone(), call.name().to_owned());
    let alive = daemon.engine.containers().list();
    let running = alive.iter().filter(|view| view.state.counts_as_running()).map(|view| view.id.to_string());
    let options = DeleteOptions { force: call.query.flag("force"), running: running.collect::<BTreeSet<_>>() };
    let deleted = tokio::task::spawn_blocking(move || delete(&daemon, &name, options)).await;
    let deleted = deleted.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(answer::json(StatusCode::OK, &deleted))
}

fn delete(daemon: &Daemon, name: &str, options: DeleteOptions) -> Result<Vec<ImageDeleted>, ApiError> {
    let id = daemon.images.resolve(name)?.id.to_string();
    let lines = daemon.images.delete(name, options)?;
    let events = daemon.engine.events();
    let mut shown = Vec::with_capacity(lines.len());
    for line in lines {
        let attributes = BTreeMap::from([("name".to_owned(), id.clone())]);
        shown.push(match line {
            Deleted::Untagged(reference) => {
                events.publish(EventKind::Image, "untag", &id, attributes);
                ImageDeleted { untagged: Some(reference), deleted: None }
            }
            Deleted::Deleted(digest) => {
                if digest.to_string() == id {
                    events.publish(EventKind::Image, "delete", &id, attributes);
                }
                ImageDeleted { untagged: None, deleted: Some(digest.to_string()) }
            }
        });
    }
    Ok(shown)
}
