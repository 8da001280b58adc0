//! Images: list, inspect, delete.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::inspect::GraphDriver;
use crate::is_default;

/// One line of `GET /images/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageSummary {
    /// How many use it; -1: not counted.
    pub containers: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// `sha256:…`.
    pub id: String,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Parent of a classic build.
    pub parent_id: String,
    /// Manifest (1.48 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Descriptor>,
    /// `repo@sha256:…`.
    pub repo_digests: Vec<String>,
    /// `repo:tag`.
    pub repo_tags: Vec<String>,
    /// Bytes; -1: not counted.
    pub shared_size: i64,
    /// Bytes.
    pub size: i64,
    /// Bytes, for old clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_size: Option<i64>,
}

/// An OCI descriptor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// `sha256:…`.
    pub digest: String,
    /// Bytes.
    pub size: i64,
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

/// A platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Platform {
    /// `amd64`, ….
    pub architecture: String,
    /// `linux`, ….
    pub os: String,
    /// `v8`, ….
    #[serde(skip_serializing_if = "is_default")]
    pub variant: String,
}

/// `GET /images/{name}/json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageInspect {
    /// `sha256:…`.
    pub id: String,
    /// `repo:tag`.
    pub repo_tags: Vec<String>,
    /// `repo@sha256:…`.
    pub repo_digests: Vec<String>,
    /// Parent of a classic build.
    pub parent: String,
    /// Comment of a commit.
    pub comment: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "is_default")]
    pub created: String,
    /// What built it.
    pub docker_version: String,
    /// Author.
    pub author: String,
    /// Defaults for its containers: an OCI image configuration's `config`, with Docker's additions.
    pub config: Option<Map<String, Value>>,
    /// `amd64`, ….
    pub architecture: String,
    /// `v8`, ….
    #[serde(skip_serializing_if = "is_default")]
    pub variant: String,
    /// `linux`.
    pub os: String,
    /// Windows only.
    #[serde(skip_serializing_if = "is_default")]
    pub os_version: String,
    /// Bytes.
    pub size: i64,
    /// Where its layers lie.
    pub graph_driver: GraphDriver,
    /// Its layers.
    #[serde(rename = "RootFS")]
    pub root_fs: RootFs,
    /// Local facts.
    pub metadata: ImageMetadata,
    /// Manifest (1.48 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Descriptor>,
}

/// An image's layers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Diff ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

/// Local facts about an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageMetadata {
    /// RFC 3339.
    #[serde(skip_serializing_if = "is_default")]
    pub last_tag_time: String,
}

/// One line of the answer of delete; exactly one field is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageDeleted {
    /// A reference that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untagged: Option<String>,
    /// An image or layer that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
}

/// The answer of prune.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImagesPruned {
    /// What went, in order.
    pub images_deleted: Option<Vec<ImageDeleted>>,
    /// Bytes.
    pub space_reclaimed: u64,
}
