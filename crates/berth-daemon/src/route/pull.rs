//! Pulling images, with Docker's progress messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use berth_api::progress::{ErrorDetail, JsonMessage, ProgressDetail};
use berth_engine::EventKind;
use berth_image::{Credentials, LayerPhase, PullEvent};
use berth_oci::{Digest, Platform, Reference};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::auth;

/// Counting messages of one layer come no closer together than this.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Work in a task of its own; dropped with the client's connection, it ends.
pub(super) struct Task(tokio::task::JoinHandle<()>);

impl Task {
    pub(super) fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// `POST /images/create`
pub(crate) async fn create(call: Call) -> Result<Answer, ApiError> {
    if !call.query.text("fromSrc").is_empty() {
        return super::import::import(call).await;
    }
    let wanted = Wanted::parse(&call)?;
    let (sender, messages) = unbounded_channel();
    answer(messages, Task::of(run(call.daemon.clone(), wanted, Progress::new(sender)))).await
}

/// Messages as they come; `task` goes with the connection. A failure before the first is an answer of its own.
pub(super) async fn answer<T: Send + 'static>(
    mut messages: UnboundedReceiver<Message>,
    task: T,
) -> Result<Answer, ApiError> {
    let first = match messages.recv().await {
        Some(Ok(message)) => message,
        Some(Err(error)) => return Err(error),
        None => return Err(ApiError::internal("it ended without a word")),
    };
    let rest = stream::unfold((messages, task), |(mut messages, task)| async move {
        Some((next(&mut messages).await?, (messages, task)))
    });
    let lines = stream::once(async move { answer::line(&first) }).chain(rest);
    Ok(answer::stream("application/json", lines))
}

pub(super) type Message = Result<JsonMessage, ApiError>;

/// A failure once messages have gone out is a message.
async fn next(messages: &mut UnboundedReceiver<Message>) -> Option<Bytes> {
    let message = messages.recv().await?.unwrap_or_else(|error| JsonMessage {
        error: error.message.clone(),
        error_detail: Some(ErrorDetail { code: 0, message: error.message }),
        ..JsonMessage::default()
    });
    Some(answer::line(&message))
}

/// What to pull.
struct Wanted {
    reference: Reference,
    /// No tag was given: all of them.
    every_tag: bool,
    platform: Option<Platform>,
    credentials: Option<Credentials>,
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
        Ok(Self { reference: Reference::parse(&text).map_err(invalid)?, every_tag, platform, credentials })
    }
}

async fn run(daemon: Arc<Daemon>, wanted: Wanted, progress: Progress) {
    let result = match wanted.every_tag {
        true => every_tag(&daemon, &wanted, &progress).await,
        false => one(&daemon, &wanted, &wanted.reference, &progress).await.map(drop),
    };
    if let Err(error) = result {
        // The client may be gone, and then nobody needs to know.
        let _ = progress.sender.send(Err(error.into()));
    }
}

async fn one(
    daemon: &Daemon,
    wanted: &Wanted,
    reference: &Reference,
    progress: &Progress,
) -> Result<bool, berth_image::Error> {
    let (platform, credentials) = (wanted.platform.clone(), wanted.credentials.clone());
    let show = |event| progress.show(&event);
    let pulled = daemon.images.pull(reference, platform, credentials, &show).await?;
    let name = reference.familiar();
    let attributes = BTreeMap::from([("name".to_owned(), reference.familiar_name())]);
    daemon.engine.events().publish(EventKind::Image, "pull", &name, attributes);
    Ok(pulled.fresh)
}

async fn every_tag(daemon: &Daemon, wanted: &Wanted, progress: &Progress) -> Result<(), berth_image::Error> {
    let mut fresh = false;
    for tag in daemon.images.remote_tags(&wanted.reference, wanted.credentials.clone()).await? {
        fresh |= one(daemon, wanted, &wanted.reference.with_tag(&tag)?, progress).await?;
    }
    progress.send(finished(&wanted.reference.familiar_name(), fresh));
    Ok(())
}

/// Turns the store's events into messages.
struct Progress {
    sender: UnboundedSender<Message>,
    counted: Mutex<HashMap<Digest, Instant>>,
}

impl Progress {
    fn new(sender: UnboundedSender<Message>) -> Self {
        Self { sender, counted: Mutex::default() }
    }

    fn send(&self, message: JsonMessage) {
        // The client may be gone; its going ends the pull by itself.
        let _ = self.sender.send(Ok(message));
    }

    fn show(&self, event: &PullEvent) {
        match event {
            PullEvent::Started { object, repository } => {
                self.send(message(object, &format!("Pulling from {repository}")));
            }
            PullEvent::Layer { layer, phase } => {
                if self.due(layer, *phase) {
                    self.send(layer_message(&short(layer), *phase));
                }
            }
            PullEvent::Digest(digest) => self.send(message("", &format!("Digest: {digest}"))),
            PullEvent::Finished { reference, fresh } => self.send(finished(reference, *fresh)),
        }
    }

    /// Whether a layer's counting is worth a message again; other phases always are.
    fn due(&self, layer: &Digest, phase: LayerPhase) -> bool {
        let (LayerPhase::Downloading { current, total } | LayerPhase::Extracting { current, total }) = phase else {
            return true;
        };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let due = current >= total || counted.get(layer).is_none_or(|last| last.elapsed() >= PAUSE);
        if due {
            counted.insert(layer.clone(), Instant::now());
        }
        due
    }
}

fn short(digest: &Digest) -> String {
    digest.to_string().rsplit(':').next().unwrap_or_default().chars().take(12).collect()
}

fn message(id: &str, status: &str) -> JsonMessage {
    JsonMessage { id: id.to_owned(), status: status.to_owned(), ..JsonMessage::default() }
}

fn finished(reference: &str, fresh: bool) -> JsonMessage {
    let what = if fresh { "Downloaded newer image for" } else { "Image is up to date for" };
    message("", &format!("Status: {what} {reference}"))
}

fn layer_message(id: &str, phase: LayerPhase) -> JsonMessage {
    let (status, counted) = match phase {
        LayerPhase::AlreadyExists => ("Already exists", None),
        LayerPhase::PullingFsLayer => ("Pulling fs layer", None),
        LayerPhase::Waiting => ("Waiting", None),
        LayerPhase::Retrying { seconds } => {
            let unit = if seconds == 1 { "second" } else { "seconds" };
            let mut retrying = message(id, &format!("Retrying in {seconds} {unit}"));
            retrying.progress_detail = Some(ProgressDetail::default());
            return retrying;
        }
        LayerPhase::Downloading { current, total } => ("Downloading", Some((current, total))),
        LayerPhase::VerifyingChecksum => ("Verifying Checksum", None),
        LayerPhase::DownloadComplete => ("Download complete", None),
        LayerPhase::Extracting { current, total } => ("Extracting", Some((current, total))),
        LayerPhase::PullComplete => ("Pull complete", None),
    };
    match counted {
        Some((current, total)) => self::counted(id, status, current, total),
        None => JsonMessage { progress_detail: Some(ProgressDetail::default()), ..message(id, status) },
    }
}

/// A step of a bar.
pub(super) fn counted(id: &str, status: &str, current: u64, total: u64) -> JsonMessage {
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let detail = ProgressDetail { current: number(current), total: number(total), units: String::new() };
    JsonMessage { progress_detail: Some(detail), progress: bar(current, total), ..message(id, status) }
}

/// `[====>      ]  1.2MB/3.4MB`: fifty cells, for clients that print it as it is.
fn bar(current: u64, total: u64) -> String {
    if total == 0 {
        return format!("{:>8}", human(current));
    }
    let filled = usize::try_from(current.saturating_mul(50) / total).unwrap_or(50).min(50);
    let bar = format!("[{}>{}]", "=".repeat(filled), " ".repeat(50 - filled));
    match current > total {
        true => format!("{bar} {:>8}", human(current)),
        false => format!("{bar} {:>8}/{}", human(current), human(total)),
    }
}

/// Bytes in powers of 1000 with four significant digits.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1000.0 && unit < UNITS.len() - 1 {
        size /= 1000.0;
        unit += 1;
    }
    let digits = match size {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{size:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{}", UNITS[unit])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [(0, "0B"), (999, "999B"), (1000, "1kB"), (1_234_567, "1.235MB"), (12_340_000, "12.34MB")]
        {
            assert_eq!(human(bytes), text);
        }
    }

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
