//! The disk is full: what that leaves half done goes, so that it is not what fills the disk, and is said in one
//! sentence.
//!
//! An interrupted pull otherwise leaves what it has for the next try (`waiting`). Here the next try needs the room more.

use std::sync::Arc;
use std::time::Duration;

use crate::store::Inner;
use crate::{Error, Result};

/// Threads that still write what nobody waits for any longer find that out within so many pauses.
const PAUSES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// As the kernel and SQLite say it; what they say reaches us as text, because one failure is told to several callers.
const WORDS: [&str; 4] = ["(os error 28)", "(os error 122)", "No space left on device", "database or disk is full"];

/// Whether a failure is that of a full disk.
pub(crate) fn is_full(error: &Error) -> bool {
    let text = error.to_string();
    WORDS.iter().any(|words| text.contains(words))
}

impl Inner {
    /// Where it failed for lack of room: tidies up, and says so. Blocks.
    pub(crate) fn made_room<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| match is_full(&error) {
            true => {
                self.forget_unfinished();
                self.full(&error)
            }
            false => error,
        })
    }

    /// The same for a pull, of which something may still be on its way to the disk.
    pub(crate) async fn made_room_soon<T>(self: &Arc<Self>, result: Result<T>) -> Result<T> {
        let Err(error) = &result else { return result };
        if !is_full(error) {
            return result;
        }
        for _ in 0..PAUSES {
            let inner = self.clone();
            let busy = tokio::task::spawn_blocking(move || inner.forget_unfinished()).await;
            if !busy.unwrap_or(false) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        result.map_err(|error| self.full(&error))
    }

    /// Tells whether somebody is still writing.
    fn forget_unfinished(&self) -> bool {
        if let Err(error) = self.forget_waiting() {
            tracing::warn!(%error, "what a full disk has left half done could not be removed");
        }
        self.content.partials().is_ok_and(|partials| partials.iter().any(|partial| partial.busy))
    }

    fn full(&self, error: &Error) -> Error {
        let mut doing = match error {
            // The archive is not to blame.
            Error::Archive(reason) => reason.trim_start_matches("it is no layer: ").to_owned(),
            Error::BadLayer { blob, reason } => format!("layer {}: {reason}", blob.short()),
            other => other.to_string(),
        };
        for words in ["No space left on device (os error 28)", "Disk quota exceeded (os error 122)"] {
            doing = doing.replace(&format!(": {words}"), "");
        }
        Error::NoSpace { root: self.content.root().to_owned(), doing }
    }
}
