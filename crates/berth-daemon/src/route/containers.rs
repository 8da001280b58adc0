//! Containers: list, create, inspect and their life cycle.

use std::collections::HashMap;
use std::sync::Arc;

use berth_api::{ApiVersion, ContainerSummary, CreateRequest, CreateResponse};
use berth_engine::spec::ContainerSpec;
use berth_engine::volumes::disk_usage;
use berth_engine::{ContainerView, RemoveOptions};
use http::StatusCode;
use jiff::Timestamp;

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::{Call, invalid_json};
use crate::steps::{self, Object};
use crate::wire::create::Asked;
use crate::wire::inspect;
use crate::wire::plan as wire_plan;
use crate::wire::summary::{self, Wanted};

const DONE: StatusCode = StatusCode::NO_CONTENT;

/// `GET /containers/json`
pub(crate) async fn list(call: Call) -> Result<Answer, ApiError> {
    let mut wanted = Wanted::parse(call.query.filters()?)?;
    let limit = call.query.number("limit")?.filter(|limit| *limit > 0);
    let size = call.query.flag("size");
    let daemon = call.daemon.clone();
    let all = call.query.flag("all") || limit.is_some() || wanted.beyond_running();
    look_up(&daemon, &mut wanted)?;
    let mut views: Vec<Arc<ContainerView>> = daemon.engine.containers().list();
    views.retain(|view| (all || view.state.counts_as_running()) && wanted.allows(view));
    views.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| b.id.cmp(&a.id)));
    views.truncate(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX));
    let version = call.version;
    let answer = move || steps::summaries(version, summaries(&daemon, &views, size));
    tokio::task::spawn_blocking(answer).await.map_err(|error| ApiError::internal(error.to_string()))
}

/// Finds what the filters name.
fn look_up(daemon: &Daemon, wanted: &mut Wanted) -> Result<(), ApiError> {
    let created = |key: &str| -> Result<Option<Timestamp>, ApiError> {
        let name = wanted.filters().get(key).next();
        name.map(|name| Ok(daemon.engine.containers().inspect(name)?.created)).transpose()
    };
    let (before, since) = (created("before")?, created("since")?);
    let ancestors: Vec<String> = wanted.filters().get("ancestor").map(ToOwned::to_owned).collect();
    // An image that is not there has no containers; that is no error.
    wanted.ancestors =
        ancestors.iter().filter_map(|name| Some(daemon.images.resolve(name).ok()?.id.to_string())).collect();
    (wanted.before, wanted.since) = (before, since);
    Ok(())
}

pub(super) fn summaries<'a>(
    daemon: &'a Daemon,
    views: &'a [Arc<ContainerView>],
    size: bool,
) -> impl Iterator<Item = ContainerSummary> + use<'a> {
    let now = Timestamp::now();
    let mut names: HashMap<&str, bool> = HashMap::new();
    views.iter().map(move |view| {
        let name = view.spec.image.as_str();
        let current = *names
            .entry(name)
            .or_insert_with(|| daemon.images.resolve(name).is_ok_and(|image| image.id == view.image_id));
        let shown = if current { name } else { view.image_id.as_str() }.to_owned();
        let mut line = summary::container(view, shown, now);
        if size {
            (line.size_rw, line.size_root_fs) = sizes(daemon, view);
        }
        line
    })
}

/// Bytes written, and with the image's.
fn sizes(daemon: &Daemon, view: &ContainerView) -> (i64, i64) {
    let written = disk_usage(&view.paths.upper);
    let image = daemon.images.resolve(&view.image_id.to_string()).map_or(0, |image| image.size);
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    (number(written), number(written + image))
}

/// `POST /containers/create`
pub(crate) async fn create(mut call: Call) -> Result<Answer, ApiError> {
    let (name, spec) = asked(&mut call).await?;
    let created = call.daemon.engine.containers().create(name, spec).await?;
    let answer = CreateResponse { id: created.id.to_string(), warnings: created.warnings };
    Ok(answer::json(StatusCode::CREATED, &answer))
}

/// `POST /containers/plan`, which is ours: what create and start would do.
pub(crate) async fn plan(mut call: Call) -> Result<Answer, ApiError> {
    let (name, spec) = asked(&mut call).await?;
    let foreseen = call.daemon.engine.containers().foresee(name, spec).await?;
    Ok(answer::json(StatusCode::OK, &wire_plan::plan(&foreseen)?))
}

/// The name and the container that a request to create asks for.
async fn asked(call: &mut Call) -> Result<(Option<String>, ContainerSpec), ApiError> {
    let body = call.required_json().await?;
    let mut request = CreateRequest::decode(&body).map_err(|error| invalid_json(&error))?;
    steps::create_request(call.version, &mut request);
    let platform = if call.version >= ApiVersion::new(1, 41) { call.query.text("platform") } else { "" };
    let spec = ContainerSpec::try_from(Asked { request, platform, defaults: &call.daemon.defaults })?;
    let name = call.query.text("name");
    Ok(((!name.is_empty()).then(|| name.to_owned()), spec))
}

/// `GET /containers/{name}/json`
pub(crate) async fn inspect(call: Call) -> Result<Answer, ApiError> {
    let view = call.daemon.engine.containers().inspect(call.name())?;
    let mut shown = inspect::container(&view, &call.daemon.facts);
    if call.query.flag("size") {
        let daemon = call.daemon.clone();
        let counted = tokio::task::spawn_blocking(move || sizes(&daemon, &view)).await;
        let (written, all) = counted.map_err(|error| ApiError::internal(error.to_string()))?;
        (shown.size_rw, shown.size_root_fs) = (Some(written), Some(all));
    }
    Ok(steps::json(call.version, Object::Container, StatusCode::OK, &shown))
}

/// `POST /containers/{name}/start`
pub(crate) async fn start(mut call: Call) -> Result<Answer, ApiError> {
    if !call.query.text("checkpoint").is_empty() {
        return Err(ApiError::not_yet("start containers from checkpoints", "--checkpoint"));
    }
    // An empty object is what some clients send for nothing.
    if call.bytes().await?.len() > 2 && call.version >= ApiVersion::new(1, 24) {
        return Err(ApiError::invalid(
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
        ));
    }
    call.daemon.engine.containers().start(call.name()).await?;
    Ok(answer::empty(DONE))
}

/// The signal of stop and restart, which came with 1.42.
fn stop_signal(call: &Call) -> Option<&str> {
    let signal = call.query.text("signal");
    (!signal.is_empty() && call.version >= ApiVersion::new(1, 42)).then_some(signal)
}

/// `POST /containers/{name}/stop`
pub(crate) async fn stop(call: Call) -> Result<Answer, ApiError> {
    let timeout = call.query.number("t")?;
    call.daemon.engine.containers().stop(call.name(), timeout, stop_signal(&call)).await?;
    Ok(answer::empty(DONE))
}

/// `POST /containers/{name}/restart`
pub(crate) async fn restart(call: Call) -> Result<Answer, ApiError> {
    let timeout = call.query.number("t")?;
    call.daemon.engine.containers().restart(call.name(), timeout, stop_signal(&call)).await?;
    Ok(answer::empty(DONE))
}

/// `POST /containers/{name}/kill`
pub(crate) async fn kill(call: Call) -> Result<Answer, ApiError> {
    let signal = call.query.text("signal");
    call.daemon.engine.containers().kill(call.name(), (!signal.is_empty()).then_some(signal)).await?;
    Ok(answer::empty(DONE))
}

/// `POST /containers/{name}/rename`
pub(crate) async fn rename(call: Call) -> Result<Answer, ApiError> {
    let name = call.query.text("name");
    if name.is_empty() {
        return Err(ApiError::invalid("Neither old nor new names may be empty"));
    }
    call.daemon.engine.containers().rename(call.name(), name).await?;
    Ok(answer::empty(DONE))
}

/// `POST /containers/{name}/pause`
pub(crate) async fn pause(call: Call) -> Result<Answer, ApiError> {
    call.daemon.engine.containers().pause(call.name()).await?;
    Ok(answer::empty(DONE))
}

/// `POST /containers/{name}/unpause`
pub(crate) async fn unpause(call: Call) -> Result<Answer, ApiError> {
    call.daemon.engine.containers().unpause(call.name()).await?;
    Ok(answer::empty(DONE))
}

/// `DELETE /containers/{name}`
pub(crate) async fn remove(call: Call) -> Result<Answer, ApiError> {
    if call.query.flag("link") {
        return Err(ApiError::not_yet("link containers", "--link"));
    }
    let options = RemoveOptions { force: call.query.flag("force"), volumes: call.query.flag("v") };
    call.daemon.engine.containers().remove(call.name(), options).await?;
    Ok(answer::empty(DONE))
}

/// Rows and columns of a resize.
pub(crate) fn size(call: &Call) -> Result<(u16, u16), ApiError> {
    let cells = |name: &str| {
        let text = call.query.text(name);
        text.parse().map_err(|_| ApiError::invalid(format!("invalid resize {name} \"{text}\"")))
    };
    Ok((cells("h")?, cells("w")?))
}

/// `POST /containers/{name}/resize`
pub(crate) async fn resize(call: Call) -> Result<Answer, ApiError> {
    let (rows, columns) = size(&call)?;
    call.daemon.engine.containers().resize(call.name(), rows, columns).await?;
    Ok(answer::empty(StatusCode::OK))
}
