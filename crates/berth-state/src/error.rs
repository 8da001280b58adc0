//! What can go wrong with the store.

use std::path::PathBuf;

/// A failed step of the store, with the object it failed on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database could not be opened or prepared.
    #[error("opening the state at {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The directory of the database could not be made or synced.
    #[error("preparing {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The database was written by a newer berth, whose layout this one does not know.
    #[error("the state at {} has format {found}, but this berth knows only up to {known}: use the newer berth", path.display())]
    NewerFormat {
        /// The database file.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// A record was written by a newer berth.
    #[error(
        "{kind} {key} was written in version {found}, but this berth knows only up to {known}: use the newer berth"
    )]
    NewerRecord {
        /// The record's kind.
        kind: &'static str,
        /// Its key.
        key: String,
        /// The version found.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// An older record could not be brought up to date.
    #[error("{kind} of version {found} cannot be brought to version {known}: {reason}")]
    Migrate {
        /// The record's kind.
        kind: &'static str,
        /// The version found.
        found: u32,
        /// The version wanted.
        known: u32,
        /// Why not.
        reason: String,
    },
    /// A record's body is not what its type expects.
    #[error("decoding {kind} {key}")]
    Decode {
        /// The record's kind.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What the decoder said.
        source: serde_json::Error,
    },
    /// A record could not be turned into JSON.
    #[error("encoding {kind} {key}")]
    Encode {
        /// The record's kind.
        kind: &'static str,
        /// Its key.
        key: String,
        /// What the encoder said.
        source: serde_json::Error,
    },
    /// A statement failed.
    #[error("{doing} in the state")]
    Statement {
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The commit of this write, or of those it was committed with, failed; nothing of it is visible.
    #[error("committing to the state: {0}")]
    Commit(String),
    /// The store has been closed, or its writer died.
    #[error("the state is closed")]
    Closed,
}

impl Error {
    pub(crate) fn statement(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Statement { doing, source }
    }
}
