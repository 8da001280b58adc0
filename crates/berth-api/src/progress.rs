//! The stream of pull, push, load and build: one JSON object a line.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::is_default;

/// One message of a progress stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct JsonMessage {
    /// Text for the terminal (builds).
    #[serde(skip_serializing_if = "is_default")]
    pub stream: String,
    /// What is being done.
    #[serde(skip_serializing_if = "is_default")]
    pub status: String,
    /// Bytes done and in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<ProgressDetail>,
    /// The bar as text, for old clients.
    #[serde(skip_serializing_if = "is_default")]
    pub progress: String,
    /// Which layer or tag.
    #[serde(skip_serializing_if = "is_default")]
    pub id: String,
    /// The failure, as text.
    #[serde(skip_serializing_if = "is_default")]
    pub error: String,
    /// The failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// Something for machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<Value>,
}

/// Bytes done and in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// Done.
    #[serde(skip_serializing_if = "is_default")]
    pub current: i64,
    /// In all; 0: unknown.
    #[serde(skip_serializing_if = "is_default")]
    pub total: i64,
    /// What is counted, where not bytes.
    #[serde(skip_serializing_if = "is_default")]
    pub units: String,
}

/// Why the whole operation failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// HTTP-like code, mostly absent.
    #[serde(skip_serializing_if = "is_default")]
    pub code: i64,
    /// One sentence.
    pub message: String,
}
