//! What of an image is here.

use berth_oci::ChainId;

use crate::Result;
use crate::record::{ImageRecord, LayerRecord};
use crate::store::Inner;

impl Inner {
    /// What is recorded of a layer.
    pub(crate) fn layer(&self, chain: &ChainId) -> Result<Option<LayerRecord>> {
        Ok(self.state.read(|reader| reader.get(chain.as_str()))?)
    }

    /// Whether a layer is recorded and everything that its record promises is here.
    pub(crate) fn has_layer(&self, chain: &ChainId) -> Result<bool> {
        let Some(layer) = self.layer(chain)? else { return Ok(false) };
        // Earlier versions say `kept` of layers that were made here, too.
        let made_here = layer.blob.digest == *layer.diff_id.digest();
        let blob = !layer.kept || made_here || self.content.contains(&layer.blob.digest);
        Ok(blob && self.layers.exists(chain))
    }

    /// Whether everything of an image is here.
    pub(crate) fn is_whole(&self, image: &ImageRecord) -> Result<bool> {
        if !image.documents().all(|digest| self.content.contains(digest)) {
            return Ok(false);
        }
        for chain in &image.layers {
            if !self.has_layer(chain)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
