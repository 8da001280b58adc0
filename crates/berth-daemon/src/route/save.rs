//! Images as an archive.

use std::io;

use berth_archive::Pieces;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc::channel;

use super::image_events;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::platform;

/// Pieces under way; each is a quarter of a megabyte.
const QUEUE: usize = 8;

/// `GET /images/{name}/get`
pub(crate) async fn one(call: Call) -> Result<Answer, ApiError> {
    let names = vec![call.name().to_owned()];
    save(call, names).await
}

/// `GET /images/get`
pub(crate) async fn several(call: Call) -> Result<Answer, ApiError> {
    let names: Vec<String> = call.query.all("names").into_iter().map(str::to_owned).collect();
    match names.iter().any(|name| !name.is_empty()) {
        true => save(call, names).await,
        false => Err(ApiError::invalid("bad parameter: no image is named: 'names' is empty")),
    }
}

async fn save(call: Call, names: Vec<String>) -> Result<Answer, ApiError> {
    let (daemon, platform) = (call.daemon.clone(), platform::asked(&call.query)?);
    // Blobs that are not kept are fetched again where they can be had; where not, the layers have to do.
    let (mut recalled, mut away) = (Vec::new(), None);
    for image in daemon.images.meant(&names)? {
        match daemon.images.recall(&image, None).await {
            Ok(lease) => recalled.push(lease),
            Err(error) => away = Some(error),
        }
    }
    let planned = tokio::task::spawn_blocking(move || daemon.images.save(&names, platform.as_ref())).await;
    let saving = planned.map_err(|error| ApiError::internal(error.to_string()))?;
    // Then why they could not be had is the reason.
    let saving = saving.map_err(|error| match error {
        berth_image::Error::BlobAway { .. } => away.unwrap_or(error),
        other => other,
    })?;
    drop(recalled);
    let (sender, pieces) = channel::<io::Result<Bytes>>(QUEUE);
    let daemon = call.daemon;
    tokio::task::spawn_blocking(move || {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut out = Pieces::new(|piece: Vec<u8>| sender.blocking_send(Ok(piece.into())).map_err(|_| gone()));
        match saving.write(&mut out).and_then(|()| out.finish()) {
            Ok(()) => {
                for image in saving.images() {
                    // Deleted meanwhile, nothing is told of it.
                    if let Ok(image) = daemon.images.resolve(image.as_str()) {
                        image_events::tell(&daemon, "save", &image, image.id.as_str());
                    }
                }
            }
            // The client went away.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                tracing::error!(%error, "saving images");
                drop(sender.blocking_send(Err(error)));
            }
        }
    });
    let parts = stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) });
    Ok(answer::fallible("application/x-tar", parts))
}
