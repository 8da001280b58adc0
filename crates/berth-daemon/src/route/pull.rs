//! Pulling images, with Docker's progress messages.

use std::sync::Arc;

use berth_api::progress::JsonMessage;
use berth_api::registry::{PlannedLayer, PullPlan};
use berth_image::{Credentials, LayerPhase, PullEvent};
use berth_oci::{Platform, Reference};
use http::StatusCode;

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::route::image_events;
use crate::route::progress::{self, Messages, aux, counted, message, retrying, short, step};
use crate::wire::auth;

/// `POST /images/create`
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    if !call.query.text("fromSrc").is_empty() {
        return super::import::import(call).await;
    }
    let wanted = Wanted::parse(&call)?;
    let daemon = call.daemon.clone();
    progress::answer(move |messages| run(daemon, wanted, messages)).await
}

/// `GET /images/plan`, ours: what a pull would do.
pub(crate) async fn plan(call: Call) -> Result<Answer, ApiError> {
    let wanted = Wanted::parse(&call)?;
    let plan = call.daemon.images.plan_pull(&wanted.reference, wanted.platform, wanted.credentials).await?;
    let layers = plan.layers.iter().map(|layer| PlannedLayer {
        digest: layer.blob.to_string(),
        size: layer.size,
        missing: layer.missing,
        here: layer.here,
    });
    let shown = PullPlan {
        reference: wanted.reference.familiar(),
        id: plan.id.to_string(),
        digest: plan.digest.to_string(),
        platform: plan.platform.to_string(),
        up_to_date: plan.up_to_date,
        layers: layers.collect(),
    };
    Ok(answer::json(StatusCode::OK, &shown))
}

/// What to pull.
struct Wanted {
    reference: Reference,
    /// No tag was given: all of them.
    every_tag: bool,
    platform: Option<Platform>,
    credentials: Option<Credentials>,
    /// Ours: to be told beforehand how much is going to come.
    sizes: bool,
}

impl Wanted {
    fn parse(call: &Call) -> Result<Self, ApiError> {
        let (image, tag) = (call.query.text("fromImage"), call.query.text("tag"));
        let invalid = |error: berth_oci::ReferenceError| ApiError::invalid(error.to_string());
        let text = match tag {
            "" => image.to_owned(),
            digest if digest.contains(':') => format!("{image}@{digest}"),
            tag => format!("{image}:{tag}"),
        };
        let name = Reference::parse_name(&text).map_err(invalid)?;
        let every_tag = name.tag().is_none() && name.digest().is_none();
        let platform = match call.query.text("platform") {
            "" => None,
            text => Some(Platform::parse(text).map_err(|error| ApiError::invalid(error.to_string()))?),
        };
        let credentials = auth::credentials(call);
        let sizes = call.query.flag("sizes");
        Ok(Self { reference: Reference::parse(&text).map_err(invalid)?, every_tag, platform, credentials, sizes })
    }
}

async fn run(daemon: Arc<Daemon>, wanted: Wanted, messages: Messages) -> Result<(), ApiError> {
    match wanted.every_tag {
        true => every_tag(&daemon, &wanted, &messages).await?,
        false => one(&daemon, &wanted, &wanted.reference, &messages).await.map(drop)?,
    }
    Ok(())
}

async fn one(
    daemon: &Daemon,
    wanted: &Wanted,
    reference: &Reference,
    messages: &Messages,
) -> Result<bool, berth_image::Error> {
    let (platform, credentials) = (wanted.platform.clone(), wanted.credentials.clone());
    let show = |event| match event {
        PullEvent::Sizes(_) if !wanted.sizes => {}
        // Told once, of all tags.
        PullEvent::Finished { .. } if wanted.every_tag => {}
        event => show(messages, &event),
    };
    let pulled = daemon.images.pull(reference, platform, credentials, &show).await?;
    image_events::moved(daemon, "pull", reference);
    Ok(pulled.fresh)
}

async fn every_tag(daemon: &Daemon, wanted: &Wanted, messages: &Messages) -> Result<(), berth_image::Error> {
    let mut fresh = false;
    for tag in daemon.images.remote_tags(&wanted.reference, wanted.credentials.clone()).await? {
        fresh |= one(daemon, wanted, &wanted.reference.with_tag(&tag)?, messages).await?;
    }
    messages.send(finished(&wanted.reference.familiar_name(), fresh));
    Ok(())
}

/// Turns the store's events into messages.
fn show(messages: &Messages, event: &PullEvent) {
    match event {
        PullEvent::Started { object, repository } => {
            messages.send(message(object, &format!("Pulling from {repository}")));
        }
        PullEvent::Sizes(sizes) => {
            let layers: serde_json::Map<_, _> = sizes.iter().map(|(d, n)| (short(d), (*n).into())).collect();
            messages.send(aux(serde_json::json!({"layers": layers})));
        }
        PullEvent::Layer { layer, phase } => messages.send(layer_message(&short(layer), *phase)),
        PullEvent::Digest(digest) => messages.send(message("", &format!("Digest: {digest}"))),
        PullEvent::Finished { reference, fresh } => messages.send(finished(reference, *fresh)),
    }
}

fn finished(reference: &str, fresh: bool) -> JsonMessage {
    let what = if fresh { "Downloaded newer image for" } else { "Image is up to date for" };
    message("", &format!("Status: {what} {reference}"))
}

fn layer_message(id: &str, phase: LayerPhase) -> JsonMessage {
    let status = match phase {
        LayerPhase::AlreadyExists => "Already exists",
        LayerPhase::PullingFsLayer => "Pulling fs layer",
        LayerPhase::Waiting => "Waiting",
        LayerPhase::Retrying { seconds } => return retrying(id, seconds),
        LayerPhase::Downloading { current, total } => return counted(id, "Downloading", current, total),
        LayerPhase::VerifyingChecksum => "Verifying Checksum",
        LayerPhase::DownloadComplete => "Download complete",
        LayerPhase::Extracting { current, total } => return counted(id, "Extracting", current, total),
        LayerPhase::PullComplete => "Pull complete",
    };
    step(id, status)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn messages_look_like_docker_s() {
        let text = |message: &JsonMessage| serde_json::to_string(message).unwrap();
        assert_eq!(
            text(&layer_message("0123456789ab", LayerPhase::PullingFsLayer)),
            r#"{"status":"Pulling fs layer","progressDetail":{},"id":"0123456789ab"}"#
        );
        let half = layer_message("a", LayerPhase::Downloading { current: 500, total: 1000 });
        assert_eq!(
            text(&half),
            format!(
                r#"{{"status":"Downloading","progressDetail":{{"current":500,"total":1000}},"progress":"[{}>{}]     500B/1kB","id":"a"}}"#,
                "=".repeat(25),
                " ".repeat(25)
            )
        );
        assert_eq!(text(&finished("x:1", true)), r#"{"status":"Status: Downloaded newer image for x:1"}"#);
        assert_eq!(text(&message("v1", "Pulling from team/app")), r#"{"status":"Pulling from team/app","id":"v1"}"#);
    }
}
