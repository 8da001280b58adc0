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
    /// The images of a multi-platform image, where they were asked for (1.47 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<ManifestSummary>>,
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

/// One image of those that a name stands for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ManifestSummary {
    /// The manifest's digest.
    #[serde(rename = "ID")]
    pub id: String,
    /// The manifest.
    pub descriptor: Descriptor,
    /// All of it is here.
    pub available: bool,
    /// What it takes up.
    pub size: ManifestSize,
    /// `image`, `attestation` or `unknown`.
    pub kind: String,
    /// What is known of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_data: Option<ManifestImage>,
}

/// Bytes of a manifest and all that belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ManifestSize {
    /// Of its blobs.
    pub content: i64,
    /// Of its blobs and its unpacked layers.
    pub total: i64,
}

/// The image that a manifest describes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ManifestImage {
    /// What it runs on.
    pub platform: Platform,
    /// Ids of the containers on it.
    pub containers: Vec<String>,
    /// What it takes up unpacked.
    pub size: UnpackedSize,
}

/// Bytes of an image's unpacked layers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UnpackedSize {
    /// Bytes.
    pub unpacked: i64,
}

/// One step of `GET /images/{name}/history`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HistoryStep {
    /// What was said of it.
    pub comment: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The instruction.
    pub created_by: String,
    /// `sha256:…`, or `<missing>`.
    pub id: String,
    /// Bytes.
    pub size: i64,
    /// `repo:tag`.
    pub tags: Option<Vec<String>>,
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
    /// The container it was committed from (gone with 1.45).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What that container was started from (gone with 1.45).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_config: Option<Value>,
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
    /// The images of a multi-platform image, where they were asked for (1.48 and later).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifests: Option<Vec<ManifestSummary>>,
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
