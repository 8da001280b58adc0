//! Fields that clients of older versions are not told.

use serde::{Deserialize, Serialize};

/// A field that came with some version: written as its value, or left out ([`Newer::is_untold`], by
/// `skip_serializing_if`) for a client that does not know it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Newer<T> {
    /// What it says.
    pub value: T,
    #[serde(skip)]
    untold: bool,
}

impl<T> Newer<T> {
    /// Leaves it out from now on.
    pub fn withhold(&mut self) {
        self.untold = true;
    }

    /// It is left out.
    pub fn is_untold(&self) -> bool {
        self.untold
    }
}

impl<T> From<T> for Newer<T> {
    fn from(value: T) -> Self {
        Self { value, untold: false }
    }
}
