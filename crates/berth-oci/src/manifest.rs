//! Manifests and indexes, in Docker's and OCI's spelling, which differ in media types only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Descriptor, media};

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field has the wrong type.
    #[error("the manifest does not parse: {0}")]
    Json(#[source] serde_json::Error),
    /// Docker's first format.
    #[error(
        "the image has a manifest of Docker's old schema 1, which is no longer supported: \
         its author has to push it again with a current tool"
    )]
    Schema1,
    /// It has the fields of an index and of a manifest at once (CVE-2021-41190).
    #[error("the manifest is ambiguous: it claims to be an image and a list of images at once")]
    Ambiguous,
    /// Something else altogether.
    #[error("unsupported manifest media type {0:?}")]
    MediaType(String),
}

/// One image: its configuration and its layers, bottom first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    pub schema_version: u32,
    /// Its own type; absent in some OCI manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers.
    pub layers: Vec<Descriptor>,
    /// Free-form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A list of images, one for each platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    pub schema_version: u32,
    /// Its own type; absent in some OCI indexes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The images, or further indexes.
    pub manifests: Vec<Descriptor>,
    /// Free-form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What a registry or a layout has under a name.
#[allow(clippy::large_enum_variant, reason = "one of them is read a pull, and taken apart at once")]
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// One image.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

/// The fields that tell one document from another.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Parses `bytes`, which were announced as `content_type` (empty: not at all).
    ///
    /// The type written in the document counts more than the announced one; its shape must agree with both.
    pub fn parse(bytes: &[u8], content_type: &str) -> Result<Self, ManifestError> {
        let shape: Shape = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        if shape.schema_version == 1 || shape.fs_layers.is_some() {
            return Err(ManifestError::Schema1);
        }
        let image_like = shape.config.is_some() || shape.layers.is_some();
        if shape.manifests.is_some() && image_like {
            return Err(ManifestError::Ambiguous);
        }
        let announced = media::essence(content_type);
        let kind = shape.media_type.as_deref().map(media::essence).filter(|t| !t.is_empty()).unwrap_or(announced);
        match kind {
            media::OCI_INDEX | media::DOCKER_LIST => Self::index(bytes),
            media::OCI_MANIFEST | media::DOCKER_MANIFEST => Self::manifest(bytes),
            media::DOCKER_MANIFEST_V1 | media::DOCKER_MANIFEST_V1_SIGNED => Err(ManifestError::Schema1),
            "" | "application/json" | "text/plain" | "application/octet-stream" if shape.manifests.is_some() => {
                Self::index(bytes)
            }
            "" | "application/json" | "text/plain" | "application/octet-stream" if image_like => Self::manifest(bytes),
            other => Err(ManifestError::MediaType(other.into())),
        }
    }

    fn index(bytes: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(bytes).map(Self::Index).map_err(ManifestError::Json)
    }

    fn manifest(bytes: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(bytes).map(Self::Manifest).map_err(ManifestError::Json)
    }

    /// The media type that names this document in a descriptor.
    pub fn media_type(&self) -> &str {
        match self {
            Self::Manifest(m) => m.media_type.as_deref().unwrap_or(media::OCI_MANIFEST),
            Self::Index(i) => i.media_type.as_deref().unwrap_or(media::OCI_INDEX),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn descriptor() -> String {
        format!(r#"{{"mediaType":"x","size":1,"digest":"sha256:{}"}}"#, "0".repeat(64))
    }

    #[test]
    fn documents_are_told_apart() {
        let d = descriptor();
        let manifest = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[{d}]}}"#);
        assert!(matches!(Document::parse(manifest.as_bytes(), media::OCI_MANIFEST), Ok(Document::Manifest(_))));
        assert!(matches!(Document::parse(manifest.as_bytes(), ""), Ok(Document::Manifest(_))));
        assert!(Document::parse(manifest.as_bytes(), media::OCI_INDEX).is_err());
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{d}]}}"#);
        assert!(matches!(Document::parse(index.as_bytes(), media::DOCKER_LIST), Ok(Document::Index(_))));
        let both = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[],"manifests":[{d}]}}"#);
        assert!(matches!(Document::parse(both.as_bytes(), media::OCI_INDEX), Err(ManifestError::Ambiguous)));
        let old = r#"{"schemaVersion":1,"fsLayers":[]}"#;
        assert!(matches!(Document::parse(old.as_bytes(), ""), Err(ManifestError::Schema1)));
    }
}
