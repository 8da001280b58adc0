//! What images take up on disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use berth_oci::{ChainId, Digest};

use crate::record::{ImageRecord, LayerRecord};
use crate::{Image, ImageStore, Result};

/// What everything takes up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Bytes of all layers, each counted once.
    pub layers: u64,
    /// Bytes of all layers' compressed blobs that are kept beside them, each counted once.
    pub blobs: u64,
    /// Bytes of blobs that interrupted pulls have left for the next try.
    pub unfinished: u64,
    /// Each image.
    pub images: Vec<ImageUsage>,
}

/// What an image takes up. Its own size is [`Image::size`].
#[derive(Debug, Clone, PartialEq)]
pub struct ImageUsage {
    /// Which.
    pub image: Image,
    /// Bytes of those of its layers that another image has as well.
    pub shared: u64,
    /// Bytes of the blobs beside its layers.
    pub blobs: u64,
    /// Bytes of those of them that another image has as well.
    pub shared_blobs: u64,
}

/// What a layer takes up.
#[derive(Debug, Clone)]
struct Size {
    files: u64,
    /// Where it is kept.
    blob: Option<(Digest, u64)>,
}

impl ImageStore {
    /// Adds up what the records say; no layer and no blob is looked at.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        let sizes = self.layer_sizes()?;
        let images = self.list()?;
        let mut users: HashMap<&ChainId, usize> = HashMap::new();
        for layer in images.iter().flat_map(|image| &image.layers) {
            *users.entry(layer).or_default() += 1;
        }
        let used = |image: &Image| {
            let (mut shared, mut blobs, mut shared_blobs) = (0, BTreeMap::new(), BTreeMap::new());
            for (layer, size) in image.layers.iter().filter_map(|layer| Some((layer, sizes.get(layer)?))) {
                blobs.extend(size.blob.clone());
                if users.get(layer).is_some_and(|count| *count > 1) {
                    shared += size.files;
                    shared_blobs.extend(size.blob.clone());
                }
            }
            let (blobs, shared_blobs) = (blobs.values().sum(), shared_blobs.values().sum());
            ImageUsage { image: image.clone(), shared, blobs, shared_blobs }
        };
        let blobs: BTreeMap<Digest, u64> = sizes.values().filter_map(|size| size.blob.clone()).collect();
        Ok(Usage {
            layers: sizes.values().map(|size| size.files).sum(),
            blobs: blobs.values().sum(),
            unfinished: self.inner.content.partials()?.iter().map(|partial| partial.size).sum(),
            images: images.iter().map(used).collect(),
        })
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

    fn layer_sizes(&self) -> Result<HashMap<ChainId, Size>> {
        let records = self.inner.state.read(|reader| reader.list::<LayerRecord>())?;
        let sized = records.into_iter().filter_map(|(key, record)| {
            let blob = record.kept.then_some((record.blob.digest, record.blob.size));
            Some((ChainId::parse(&key).ok()?, Size { files: record.size, blob }))
        });
        Ok(sized.collect())
    }
}
