//! What a registry has under a name, without bringing it here.

use berth_oci::{Descriptor, Document, ImageConfig, Platform, Reference, media};

use super::source::{Registry, Source};
use super::{choose, small_blob};
use crate::{Credentials, Error, ImageStore, Result};

/// What a name stands for at its registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// The manifest or the list.
    pub descriptor: Descriptor,
    /// What there is an image for.
    pub platforms: Vec<Platform>,
}

impl ImageStore {
    /// Asks the registry what a name stands for.
    ///
    /// # Errors
    /// What the registry said.
    pub async fn look_up(&self, reference: &Reference, credentials: Option<Credentials>) -> Result<Remote> {
        let source = Registry::new(self.inner.registries().repository(reference, credentials), reference);
        let fetched = source.manifest(reference.object()).await?;
        let (document, descriptor) = choose::read(&fetched, reference.digest())?;
        let platforms = match document {
            Document::Index(index) => index.manifests.into_iter().filter_map(|entry| entry.platform).collect(),
            Document::Manifest(manifest) if media::is_image_config(&manifest.config.media_type) => {
                let config = ImageConfig::parse(&small_blob(&source, &manifest.config).await?);
                let wrong = |e| Error::BadImage(format!("the image configuration does not parse: {e}"));
                vec![config.map_err(wrong)?.platform()]
            }
            Document::Manifest(_) => Vec::new(),
        };
        Ok(Remote { descriptor, platforms })
    }
}
