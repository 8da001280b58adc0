//! An image as the rest of the engine sees it.

use berth_oci::{ChainId, Descriptor, ImageConfig, ImageId, Platform, Reference};

use crate::record::ImageRecord;

/// An image that is here, with its names.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The digest of its configuration.
    pub id: ImageId,
    /// Its tags as users write them (`busybox:latest`), sorted.
    pub repo_tags: Vec<String>,
    /// Its digests as users write them (`busybox@sha256:…`), sorted.
    pub repo_digests: Vec<String>,
    /// What it is.
    pub config: ImageConfig,
    /// The manifest it came by.
    pub manifest: Descriptor,
    /// Bytes of its unpacked layers.
    pub size: u64,
    /// Its layers, bottom first.
    pub layers: Vec<ChainId>,
    /// When it last got a name here, seconds since 1970.
    pub tagged_at: i64,
}

impl Image {
    pub(crate) fn new(id: ImageId, record: ImageRecord, names: &[Reference]) -> Self {
        let familiar = |wanted: fn(&Reference) -> bool| {
            let mut names: Vec<String> = names.iter().filter(|n| wanted(n)).map(Reference::familiar).collect();
            names.sort_unstable();
            names
        };
        Self {
            id,
            repo_tags: familiar(|n| n.digest().is_none()),
            repo_digests: familiar(|n| n.digest().is_some()),
            config: record.config,
            manifest: record.manifest,
            size: record.size,
            layers: record.layers,
            tagged_at: record.tagged_at,
        }
    }

    /// When it was made, RFC 3339; empty where the image does not say.
    #[must_use]
    pub fn created(&self) -> &str {
        self.config.created.as_deref().unwrap_or_default()
    }

    /// It has a tag or a digest by which it can be asked for.
    #[must_use]
    pub fn is_named(&self) -> bool {
        !self.repo_tags.is_empty() || !self.repo_digests.is_empty()
    }

    /// What it runs on.
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.config.platform()
    }
}
