//! The store's promises: all or nothing, what it survives, and whose records it refuses.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod crash;
mod records;
mod versions;

/// What the tests write.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Note {
    pub(crate) number: u64,
    pub(crate) text: String,
}

impl berth_state::Record for Note {
    const KIND: &'static str = "note";
    const VERSION: u32 = 1;
}

pub(crate) fn note(number: u64) -> Note {
    Note { number, text: format!("note {number}") }
}

/// A store in a directory of its own, which goes with it.
pub(crate) fn scratch() -> (tempfile::TempDir, berth_state::Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = berth_state::Store::open(&directory.path().join("state.db")).unwrap();
    (directory, store)
}
