//! One line of `GET /events`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::is_default;

/// Something that happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventMessage {
    /// The action again, for old clients; containers and images only.
    #[serde(skip_serializing_if = "is_default")]
    pub status: String,
    /// The actor's id again, for old clients.
    #[serde(skip_serializing_if = "is_default")]
    pub id: String,
    /// The image, for old clients.
    #[serde(skip_serializing_if = "is_default")]
    pub from: String,
    /// `container`, `image`, `network`, ….
    #[serde(rename = "Type")]
    pub kind: String,
    /// `create`, `start`, `die`, ….
    #[serde(rename = "Action")]
    pub action: String,
    /// What it happened to.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// `local` or `swarm`.
    #[serde(skip_serializing_if = "is_default")]
    pub scope: String,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "is_default")]
    pub time: i64,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano", skip_serializing_if = "is_default")]
    pub time_nano: i64,
}

/// What an event happened to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Actor {
    /// Id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name, image, labels, exit code, ….
    pub attributes: BTreeMap<String, String>,
}
