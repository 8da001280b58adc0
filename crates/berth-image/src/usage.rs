//! What images take up on disk.

use std::collections::{BTreeSet, HashMap};

use berth_oci::{ChainId, Digest};

use crate::record::{ImageRecord, LayerRecord};
use crate::{Image, ImageStore, Result};

/// Every image, with how much of it others have too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Bytes of all layers, each counted once.
    pub layers: u64,
    /// Each image, and the bytes of those of its layers that another image has as well.
    pub images: Vec<(Image, u64)>,
}

impl ImageStore {
    /// Adds up what the records say; no file is looked at.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        let sizes: HashMap<ChainId, u64> = self.layer_sizes()?;
        let images = self.list()?;
        let mut users: HashMap<&ChainId, usize> = HashMap::new();
        for layer in images.iter().flat_map(|image| &image.layers) {
            *users.entry(layer).or_default() += 1;
        }
        let shared = |image: &Image| {
            let shared = image.layers.iter().filter(|layer| users.get(layer).is_some_and(|count| *count > 1));
            shared.map(|layer| sizes.get(layer).copied().unwrap_or(0)).sum()
        };
        let shared: Vec<u64> = images.iter().map(shared).collect();
        Ok(Usage { layers: sizes.values().sum(), images: images.into_iter().zip(shared).collect() })
    }

    /// Bytes of an image's blobs that are here: its manifest, its configuration and its compressed layers.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn content_size(&self, image: &Image) -> Result<u64> {
        let record = self.inner.state.read(|reader| reader.get::<ImageRecord>(image.id.as_str()))?;
        let blobs: BTreeSet<&Digest> = record.iter().flat_map(ImageRecord::blobs).collect();
        Ok(blobs.into_iter().filter_map(|blob| self.inner.content.size(blob)).sum())
    }

    fn layer_sizes(&self) -> Result<HashMap<ChainId, u64>> {
        let records = self.inner.state.read(|reader| reader.list::<LayerRecord>())?;
        let sized = records.into_iter().filter_map(|(key, record)| Some((ChainId::parse(&key).ok()?, record.size)));
        Ok(sized.collect())
    }
}
