//! The stream of messages that whatever moves images answers with.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use berth_api::progress::{ErrorDetail, JsonMessage, ProgressDetail};
use berth_oci::Digest;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;

/// Counting messages of one layer come no closer together than this.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// Work in its own task; dropped with the client's connection, it ends.
pub(crate) struct Task(tokio::task::JoinHandle<()>);

impl Task {
    pub(crate) fn of(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a stream is made of; an error ends it.
pub(crate) type Message = Result<JsonMessage, ApiError>;

/// Where messages go.
pub(crate) struct Messages {
    sender: UnboundedSender<Message>,
    counted: Mutex<HashMap<String, Instant>>,
}

impl Messages {
    pub(crate) fn new(sender: UnboundedSender<Message>) -> Self {
        Self { sender, counted: Mutex::default() }
    }

    /// Sends a message, unless it only counts and another has just done so.
    pub(crate) fn send(&self, message: JsonMessage) {
        if self.due(&message) {
            // The client may be gone; its going ends the work by itself.
            let _ = self.sender.send(Ok(message));
        }
    }

    fn due(&self, message: &JsonMessage) -> bool {
        let Some(detail) = message.progress_detail.as_ref().filter(|detail| detail.total > 0) else { return true };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let due = detail.current >= detail.total || counted.get(&message.id).is_none_or(|last| last.elapsed() >= PAUSE);
        if due {
            counted.insert(message.id.clone(), Instant::now());
        }
        due
    }
}

/// Does the work and answers with its messages. A failure before the first of them is an answer of its own.
pub(crate) async fn answer<F>(work: impl FnOnce(Messages) -> F) -> Result<Answer, ApiError>
where
    F: Future<Output = Result<(), ApiError>> + Send + 'static,
{
    let (sender, messages) = unbounded_channel();
    let last = sender.clone();
    let work = work(Messages::new(sender));
    let task = Task::of(async move {
        if let Err(error) = work.await {
            // The client may be gone, and then nobody needs to know.
            let _ = last.send(Err(error));
        }
    });
    relay(messages, task).await
}

/// Messages as they come; `task` goes with the connection. A failure before the first is an answer of its own.
pub(crate) async fn relay<T: Send + 'static>(
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

/// A failure once messages have gone out is a message.
async fn next(messages: &mut UnboundedReceiver<Message>) -> Option<Bytes> {
    let message = messages.recv().await?.unwrap_or_else(|error| JsonMessage {
        error: error.message.clone(),
        error_detail: Some(ErrorDetail { code: 0, message: error.message }),
        ..JsonMessage::default()
    });
    Some(answer::line(&message))
}

/// A digest as messages show it.
pub(crate) fn short(digest: &Digest) -> String {
    digest.hex().chars().take(12).collect()
}

/// A line of its own.
pub(crate) fn message(id: &str, status: &str) -> JsonMessage {
    JsonMessage { id: id.to_owned(), status: status.to_owned(), ..JsonMessage::default() }
}

/// A step of something that has a line of its own on a terminal.
pub(crate) fn step(id: &str, status: &str) -> JsonMessage {
    JsonMessage { progress_detail: Some(ProgressDetail::default()), ..message(id, status) }
}

/// Something for machines.
pub(crate) fn aux(value: serde_json::Value) -> JsonMessage {
    JsonMessage { aux: Some(value), ..step("", "") }
}

/// A step that counts bytes.
pub(crate) fn counted(id: &str, status: &str, current: u64, total: u64) -> JsonMessage {
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let detail = ProgressDetail { current: number(current), total: number(total), units: String::new() };
    JsonMessage { progress_detail: Some(detail), progress: bar(current, total), ..message(id, status) }
}

/// A transfer that broke and goes on.
pub(crate) fn retrying(id: &str, seconds: u64) -> JsonMessage {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    step(id, &format!("Retrying in {seconds} {unit}"))
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
    fn counting_is_not_told_too_often() {
        let (sender, mut told) = unbounded_channel();
        let messages = Messages::new(sender);
        for current in [1, 2, 3, 10] {
            messages.send(counted("a", "Pushing", current, 10));
        }
        messages.send(step("a", "Pushed"));
        drop(messages);
        let mut seen = Vec::new();
        while let Ok(message) = told.try_recv() {
            seen.push(message.unwrap().progress_detail.unwrap().current);
        }
        assert_eq!(seen, [1, 10, 0]);
    }
}
