//! What takes up space.

use serde::{Deserialize, Serialize};

use crate::image::ImageSummary;
use crate::summary::ContainerSummary;
use crate::volume::Volume;

/// Answer of `GET /system/df`. A kind that was not asked for is `null`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DiskUsage {
    /// Bytes of all layers.
    pub layers_size: i64,
    /// With `SharedSize` and `Containers`.
    pub images: Option<Vec<ImageSummary>>,
    /// With `SizeRw` and `SizeRootFs`.
    pub containers: Option<Vec<ContainerSummary>>,
    /// With `UsageData`.
    pub volumes: Option<Vec<Volume>>,
    /// What builds have kept.
    pub build_cache: Option<Vec<BuildCache>>,
}

/// One thing that builds have kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct BuildCache {
    /// Id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Ids of what it was made from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// `regular`, `source.local` and the like.
    #[serde(rename = "Type")]
    pub kind: String,
    /// For people.
    pub description: String,
    /// A build uses it now.
    pub in_use: bool,
    /// Something else has it too.
    pub shared: bool,
    /// Bytes.
    pub size: i64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub last_used_at: Option<String>,
    /// How often.
    pub usage_count: i64,
}
