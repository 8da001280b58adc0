//! Answers of what is berth's own about images: `GET /images/{name}/explain` and `…/diff`, `POST …/flatten` and
//! `…/rebase`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::is_default;

/// What an image's bytes are spent on. Layers are numbered from the bottom, from 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageExplanation {
    /// The image.
    pub id: String,
    /// Bottom first.
    pub layers: Vec<ExplainedLayer>,
    /// Bytes of all files of all layers.
    pub total_size: u64,
    /// Bytes of the files that a container sees.
    pub seen_size: u64,
    /// Bytes of the files that no container sees.
    pub wasted_size: u64,
    /// Bytes that are there once more than once.
    pub duplicate_size: u64,
    /// What a container sees, by directory; the largest first.
    pub directories: Vec<ExplainedDirectory>,
    /// Files that no container sees; the largest first.
    pub wasted: Vec<WastedFile>,
    /// Files with the same bytes; those that cost most first.
    pub duplicates: Vec<DuplicateFile>,
}

/// One layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExplainedLayer {
    /// From the bottom.
    pub index: usize,
    /// `sha256:…`
    #[serde(rename = "DiffID")]
    pub diff_id: String,
    /// The instruction that made it.
    pub created_by: String,
    /// Bytes of its files.
    pub size: u64,
    /// Of these, bytes that later layers remove or replace.
    pub wasted: u64,
    /// How many files it has.
    pub files: usize,
    /// Names that were not there below.
    pub added: usize,
    /// Names that were.
    pub changed: usize,
    /// Names that it removed.
    pub removed: usize,
}

/// One directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExplainedDirectory {
    /// From the root.
    pub path: String,
    /// Bytes of the files below it.
    pub size: u64,
    /// How many files.
    pub files: usize,
    /// Bytes by layer, bottom first.
    pub by_layer: Vec<u64>,
}

/// A file that no container sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WastedFile {
    /// From the root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// The layer that has it.
    pub layer: usize,
    /// The layer that hides it.
    pub by: usize,
    /// `overwritten` or `deleted`.
    pub how: String,
}

/// Files with the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DuplicateFile {
    /// Bytes of each.
    pub size: u64,
    /// Bytes that could be saved.
    pub extra: u64,
    /// `sha256:…`
    pub digest: String,
    /// Where.
    pub copies: Vec<FileCopy>,
}

/// One of several files with the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FileCopy {
    /// The layer that has it.
    pub layer: usize,
    /// From the root.
    pub path: String,
}

/// How two images differ.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageDifference {
    /// The first image.
    pub from: String,
    /// The second image.
    pub to: String,
    /// How many layers, from the bottom, both have.
    pub common_layers: usize,
    /// Bytes of the files that a container sees: how many more in the second image.
    pub size_change: i64,
    /// What differs of what a container sees.
    pub files: Vec<FileDifference>,
    /// What differs of what a container starts from.
    pub config: Vec<SettingDifference>,
}

/// A path that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FileDifference {
    /// `A`, `C` or `D`, as in `docker diff`.
    pub kind: String,
    /// From the root.
    pub path: String,
    /// Bytes in the first image.
    pub before: Option<u64>,
    /// Bytes in the second image.
    pub after: Option<u64>,
    /// `kind`, `content`, `target`, `mode`, `owner`, `xattrs`.
    #[serde(skip_serializing_if = "is_default")]
    pub aspects: Vec<String>,
}

/// A setting that differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SettingDifference {
    /// `Cmd`, `Env.PATH`, `Labels.x`, ….
    pub name: String,
    /// In the first image; null: it is not set.
    pub before: Value,
    /// In the second image.
    pub after: Value,
}

/// An image that was made of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageMade {
    /// Its id.
    pub id: String,
    /// What to look at.
    pub warnings: Vec<String>,
}
