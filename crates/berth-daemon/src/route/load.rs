//! An archive of images taken in, with Docker's messages.

use std::sync::Arc;

use berth_api::progress::JsonMessage;
use berth_archive::Joined;
use berth_image::LoadEvent;
use berth_oci::Platform;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::image_events;
use super::progress::{self, Messages};
use crate::daemon::Daemon;
use crate::http::answer::Answer;
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::http::upload::{QUEUE, drain, pump};
use crate::wire::platform;

/// `POST /images/load`
pub(crate) async fn load(mut call: Call) -> Result<Answer, ApiError> {
    let (quiet, platform) = match platform::asked(&call.query) {
        Ok(platform) => (call.query.flag("quiet"), platform),
        Err(error) => {
            drain(&mut call.body).await;
            return Err(error);
        }
    };
    let (pieces, mut archive) = mpsc::channel(QUEUE);
    let (sender, messages) = mpsc::unbounded_channel();
    let (daemon, mut body) = (call.daemon, call.body);
    tokio::spawn(async move {
        let telling = Messages::new(sender.clone());
        let loading = tokio::task::spawn_blocking(move || {
            take(&daemon, Joined::new(move || archive.blocking_recv()), platform.as_ref(), &|event| {
                show(&telling, quiet, event)
            })
        });
        let (loaded, ()) = tokio::join!(loading, pump(&mut body, pieces));
        let failed = match loaded {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.into(),
            Err(error) => ApiError::internal(error.to_string()),
        };
        // The client may be gone, and then nobody needs to know.
        drop(sender.send(Err(failed)));
    });
    progress::relay(messages, ()).await
}

fn take(
    daemon: &Arc<Daemon>,
    archive: Joined<Bytes>,
    platform: Option<&Platform>,
    told: &(dyn Fn(LoadEvent) + Send + Sync),
) -> Result<(), berth_image::Error> {
    for image in daemon.images.load(archive, platform, told)? {
        if let Ok(image) = daemon.images.resolve(image.as_str()) {
            image_events::tell(daemon, "load", &image, image.id.as_str());
        }
    }
    Ok(())
}

/// Turns the store's events into messages.
fn show(messages: &Messages, quiet: bool, event: LoadEvent) {
    let line = match event {
        LoadEvent::Layer { .. } if quiet => return,
        LoadEvent::Layer { layer, current, total } => {
            return messages.send(progress::counted(&layer, "Loading layer", current, total));
        }
        LoadEvent::Renamed { name, old } => {
            format!("The image {name} already exists, renaming the old one with ID {old} to empty string\n")
        }
        LoadEvent::Named { name, .. } => format!("Loaded image: {name}\n"),
        LoadEvent::Nameless(image) => format!("Loaded image ID: {image}\n"),
    };
    messages.send(JsonMessage { stream: line, ..JsonMessage::default() });
}
