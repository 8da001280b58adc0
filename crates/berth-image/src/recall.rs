//! Blobs that are not kept (`keep-blobs`), and are wanted in the form they came in: they are fetched once more.

use std::sync::Arc;

use berth_distribution::Credentials;
use berth_oci::{ChainId, Descriptor, Digest, Document, ImageId, Reference};
use berth_state::Durability;

use crate::lease::Lease;
use crate::record::{ImageRecord, LayerRecord};
use crate::store::Inner;
use crate::{Error, ImageStore, Result, pull};

impl ImageStore {
    /// Sees to it that [`ImageStore::open_layer`] can give every layer of an image as the image's manifest has it, for
    /// as long as the lease lives. What is not kept here is fetched again from where it came.
    ///
    /// # Errors
    /// The image is gone, or a blob is neither here nor to be had.
    pub async fn recall(&self, image: &ImageId, credentials: Option<Credentials>) -> Result<Lease> {
        let (lease, record) = self.inner.lease_image(image)?;
        for (chain, blob) in self.inner.blobs_away(&record)? {
            self.inner.recall_blob(&record, &chain, &blob, credentials.clone()).await?;
        }
        Ok(lease)
    }
}

impl Inner {
    /// Layers of an image that are not here in the form its manifest names, nor can be made so of the layer.
    pub(crate) fn blobs_away(&self, image: &ImageRecord) -> Result<Vec<(ChainId, Descriptor)>> {
        let bytes = self.content.read(&image.manifest.digest)?;
        let bad = |why: String| Error::BadImage(format!("the image's manifest does not parse: {why}"));
        let document = Document::parse(&bytes, &image.manifest.media_type).map_err(|e| bad(e.to_string()))?;
        let Document::Manifest(manifest) = document else { return Err(bad("it is a list".into())) };
        let mut away = Vec::new();
        for (chain, blob) in image.layers.iter().zip(manifest.layers) {
            if self.content.contains(&blob.digest) {
                continue;
            }
            let layer = self.layer(chain)?;
            let plain = layer.is_some_and(|layer| {
                let given = !layer.kept && layer.blob.digest == blob.digest;
                let within = layer.kept && self.content.contains(&layer.blob.digest);
                *layer.diff_id.digest() == blob.digest && (given || within)
            });
            if !plain {
                away.push((chain.clone(), blob));
            }
        }
        Ok(away)
    }

    /// Fetches a layer's blob from where its image came from, or another that has it. Whoever has leased it has it, and where
    /// blobs are kept it stays.
    pub(crate) async fn recall_blob(
        self: &Arc<Self>,
        image: &ImageRecord,
        chain: &ChainId,
        blob: &Descriptor,
        credentials: Option<Credentials>,
    ) -> Result<()> {
        self.fetch_blob(image, blob, credentials).await?;
        if self.keep_blobs {
            let (key, digest) = (chain.as_str().to_owned(), blob.digest.clone());
            self.state
                .write_async(Durability::Relaxed, move |tx| match tx.get::<LayerRecord>(&key)? {
                    Some(layer) if layer.blob.digest == digest => tx.put(&key, &LayerRecord { kept: true, ..layer }),
                    _ => Ok(()),
                })
                .await?;
        }
        Ok(())
    }

    /// From wherever an image with it came; the image's own repository is asked first.
    async fn fetch_blob(
        self: &Arc<Self>,
        image: &ImageRecord,
        blob: &Descriptor,
        mut credentials: Option<Credentials>,
    ) -> Result<()> {
        let mut why = None;
        for (origin, reference) in self.origins(image, &blob.digest)? {
            // They are for the first.
            let source = pull::source(self, &reference, credentials.take())?;
            match pull::fetch(self, &*source, blob).await {
                Ok(()) => return Ok(()),
                Err(error) => _ = why.get_or_insert(format!("{origin}: {error}")),
            }
        }
        let why = why.unwrap_or_else(|| "it was not pulled from a registry".to_owned());
        Err(Error::BlobAway { blob: blob.digest.clone(), why })
    }

    /// Repositories that had a blob, and a manifest there that names it.
    fn origins(&self, image: &ImageRecord, blob: &Digest) -> Result<Vec<(String, Reference)>> {
        let all = self.state.read(|reader| reader.list::<ImageRecord>())?;
        let others = all.iter().map(|(_, other)| other).flat_map(ImageRecord::forms);
        let mut origins: Vec<(String, Reference)> = Vec::new();
        for form in image.forms().into_iter().chain(others).filter(|form| form.blobs.contains(blob)) {
            let Some(origin) = form.origin.filter(|origin| origins.iter().all(|(known, _)| known != origin)) else {
                continue;
            };
            let reference = Reference::parse_name(&format!("{origin}@{}", form.manifest.digest))?;
            origins.push((origin, reference));
        }
        Ok(origins)
    }
}
