//! Pushing images, and looking one up at its registry.

use std::sync::Arc;

use berth_api::image::{Descriptor, Platform};
use berth_api::progress::JsonMessage;
use berth_api::registry::DistributionInspect;
use berth_image::{Push, PushEvent, PushPhase};
use berth_oci::Reference;
use http::StatusCode;
use serde_json::json;

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::route::image_events;
use crate::route::images::platform;
use crate::route::progress::{self, Messages, aux, counted, message, retrying, short, step};
use crate::wire::auth;
use crate::wire::image::descriptor;

/// `POST /images/{name}/push`
pub(crate) async fn push(call: Call) -> Result<Answer, ApiError> {
    let wanted = wanted(&call)?;
    let daemon = call.daemon.clone();
    progress::answer(move |messages| run(daemon, wanted, messages)).await
}

fn wanted(call: &Call) -> Result<Push, ApiError> {
    let invalid = |error: berth_oci::ReferenceError| ApiError::invalid(error.to_string());
    let mut reference = Reference::parse_name(call.name()).map_err(invalid)?;
    let tag = call.query.text("tag");
    if !tag.is_empty() {
        reference = reference.with_tag(tag).map_err(invalid)?;
    }
    let platform = match call.query.text("platform") {
        "" => None,
        text => Some(platform(text)?),
    };
    let credentials = auth::credentials(call);
    Ok(Push { reference, platform, credentials })
}

async fn run(daemon: Arc<Daemon>, wanted: Push, messages: Messages) -> Result<(), ApiError> {
    let show = |event| show(&messages, &event);
    for pushed in daemon.images.push(&wanted, &show).await? {
        image_events::moved(&daemon, "push", &pushed.reference);
    }
    Ok(())
}

/// Turns the store's events into messages.
fn show(messages: &Messages, event: &PushEvent) {
    match event {
        PushEvent::Started { repository } => {
            messages.send(message("", &format!("The push refers to repository [{repository}]")));
        }
        PushEvent::Layer { layer, phase } => messages.send(layer_message(&short(layer), phase)),
        PushEvent::Instead { index, manifest } => messages.send(aux(json!({
            "manifestPushedInsteadOfIndex": true,
            "originalIndex": descriptor(index),
            "selectedManifest": descriptor(manifest),
        }))),
        PushEvent::Pushed { tag, digest, size } => {
            messages.send(message("", &format!("{tag}: digest: {digest} size: {size}")));
            messages.send(aux(json!({"Tag": tag, "Digest": digest, "Size": size})));
        }
    }
}

fn layer_message(id: &str, phase: &PushPhase) -> JsonMessage {
    match phase {
        PushPhase::Preparing => step(id, "Preparing"),
        PushPhase::Waiting => step(id, "Waiting"),
        PushPhase::Compressing { current, total } => counted(id, "Compressing", *current, *total),
        PushPhase::Retrying { seconds } => retrying(id, *seconds),
        PushPhase::Pushing { current, total } => counted(id, "Pushing", *current, *total),
        PushPhase::Pushed => step(id, "Pushed"),
        PushPhase::AlreadyExists => step(id, "Layer already exists"),
        PushPhase::MountedFrom(repository) => step(id, &format!("Mounted from {repository}")),
    }
}

/// `GET /distribution/{name}/json`
pub(crate) async fn distribution(call: Call) -> Result<Answer, ApiError> {
    let reference = Reference::parse(call.name()).map_err(|error| ApiError::invalid(error.to_string()))?;
    let credentials = auth::credentials(&call);
    let found = call.daemon.images.look_up(&reference, credentials).await?;
    let platforms = found.platforms.iter().map(|platform| Platform {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        variant: platform.variant.clone(),
    });
    let descriptor = Descriptor { platform: None, ..descriptor(&found.descriptor) };
    let shown = DistributionInspect { descriptor, platforms: platforms.collect() };
    Ok(answer::json(StatusCode::OK, &shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &JsonMessage) -> String {
        serde_json::to_string(message).unwrap_or_default()
    }

    #[test]
    fn messages_look_like_docker_s() {
        let there = layer_message("0123456789ab", &PushPhase::AlreadyExists);
        assert_eq!(text(&there), r#"{"status":"Layer already exists","progressDetail":{},"id":"0123456789ab"}"#);
        let mounted = layer_message("a", &PushPhase::MountedFrom("team/app".into()));
        assert_eq!(text(&mounted), r#"{"status":"Mounted from team/app","progressDetail":{},"id":"a"}"#);
        assert_eq!(text(&aux(json!({"Tag": "v1"}))), r#"{"progressDetail":{},"aux":{"Tag":"v1"}}"#);
    }
}
