//! An archive of images taken in, with Docker's messages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use berth_api::progress::JsonMessage;
use berth_image::LoadEvent;
use berth_oci::Platform;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::image_events;
use super::progress::{self, Message};
use crate::daemon::Daemon;
use crate::http::answer::Answer;
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::http::upload::{Upload, drain, pump};
use crate::wire::platform;

/// Counting messages of one layer come no closer together than this.
const PAUSE: Duration = Duration::from_millis(100);

/// `POST /images/load`
pub(crate) async fn load(mut call: Call) -> Result<Answer, ApiError> {
    let (quiet, platform) = match platform::asked(&call.query) {
        Ok(platform) => (call.query.flag("quiet"), platform),
        Err(error) => {
            drain(&mut call.body).await;
            return Err(error);
        }
    };
    let (upload, pieces) = Upload::new();
    let (sender, messages) = unbounded_channel();
    let (daemon, mut body) = (call.daemon, call.body);
    tokio::spawn(async move {
        let telling = sender.clone();
        let loading = tokio::task::spawn_blocking(move || {
            take(&daemon, upload, platform.as_ref(), &Progress::new(telling, quiet))
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
    archive: Upload,
    platform: Option<&Platform>,
    progress: &Progress,
) -> Result<(), berth_image::Error> {
    for image in daemon.images.load(archive, platform, &|event| progress.show(event))? {
        if let Ok(image) = daemon.images.resolve(image.as_str()) {
            image_events::tell(daemon, "load", &image, image.id.as_str());
        }
    }
    Ok(())
}

/// Turns the store's events into messages.
struct Progress {
    sender: UnboundedSender<Message>,
    quiet: bool,
    counted: Mutex<HashMap<String, Instant>>,
}

impl Progress {
    fn new(sender: UnboundedSender<Message>, quiet: bool) -> Self {
        Self { sender, quiet, counted: Mutex::default() }
    }

    fn show(&self, event: LoadEvent) {
        let line = match event {
            LoadEvent::Layer { layer, current, total } => {
                if !self.quiet && self.due(&layer, current >= total) {
                    self.send(progress::counted(&layer, "Loading layer", current, total));
                }
                return;
            }
            LoadEvent::Renamed { name, old } => {
                format!("The image {name} already exists, renaming the old one with ID {old} to empty string\n")
            }
            LoadEvent::Named { name, .. } => format!("Loaded image: {name}\n"),
            LoadEvent::Nameless(image) => format!("Loaded image ID: {image}\n"),
        };
        self.send(JsonMessage { stream: line, ..JsonMessage::default() });
    }

    /// Whether a layer's counting is worth a message again.
    fn due(&self, layer: &str, done: bool) -> bool {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let due = done || counted.get(layer).is_none_or(|last| last.elapsed() >= PAUSE);
        if due {
            counted.insert(layer.to_owned(), Instant::now());
        }
        due
    }

    fn send(&self, message: JsonMessage) {
        drop(self.sender.send(Ok(message)));
    }
}
