//! What `POST /berth/check` answers, which is berth's own.

use serde::{Deserialize, Serialize};

/// What a check of the image store found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckResponse {
    /// Images.
    pub images: usize,
    /// Recorded layers.
    pub layers: usize,
    /// Blobs.
    pub blobs: usize,
    /// Bytes that were read and are what they should be.
    pub verified: u64,
    /// Layers with nothing to be compared with.
    pub unverified: usize,
    /// What interrupted pulls have left for the next try.
    pub waiting: CheckWaiting,
    /// What is wrong.
    pub problems: Vec<CheckProblem>,
}

/// What interrupted pulls have left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckWaiting {
    /// Whole layers.
    pub layers: usize,
    /// Blobs that are not whole.
    pub blobs: usize,
    /// Bytes of both.
    pub bytes: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckProblem {
    /// `missing`, `damaged` or `left over`.
    pub kind: String,
    /// `blob sha256:…`, `layer sha256:…`, `image sha256:…`, `name …`, …
    pub object: String,
    /// One sentence.
    pub why: String,
    /// What to do.
    pub hint: String,
    /// It was repaired.
    pub repaired: bool,
}
