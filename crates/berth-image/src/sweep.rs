//! What is done when the store is opened: what a crash left unrecorded goes.

use berth_oci::ChainId;
use berth_state::Durability;

use crate::lease::Claims;
use crate::need::{Needed, STALE_AFTER};
use crate::record::LayerRecord;
use crate::store::{Inner, now};
use crate::{Result, delete};

impl Inner {
    /// Removes what no record knows, and layers that no image came to need within a day.
    pub(crate) fn sweep(&self) -> Result<()> {
        let needed = self.state.read(Needed::read)?;
        let stale: Vec<ChainId> = needed.stale_layers(now() - STALE_AFTER).cloned().collect();
        let needed = match stale.is_empty() {
            true => needed,
            false => self.state.try_write(Durability::Synced, move |tx| {
                delete::remove_unneeded(tx, &stale, Vec::new(), &Claims::default())?;
                Needed::read(tx)
            })?,
        };
        self.layers.sweep(&needed.recorded().map(ChainId::as_str).collect())?;
        self.set_right()?;
        let mut blobs = self.content.list()?;
        blobs.retain(|blob| !needed.blob(blob));
        Ok(self.content.discard(&blobs)?)
    }

    /// Records of an earlier version say of layers that were made here that their blobs are kept, which was never so.
    fn set_right(&self) -> Result<()> {
        let layers = self.state.read(|reader| reader.list::<LayerRecord>())?;
        let wrong = |(_, layer): &(String, LayerRecord)| {
            layer.kept && layer.blob.digest == *layer.diff_id.digest() && !self.content.contains(&layer.blob.digest)
        };
        let wrong: Vec<(String, LayerRecord)> = layers.into_iter().filter(wrong).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        self.state.write(Durability::Relaxed, move |tx| {
            wrong.into_iter().try_for_each(|(key, layer)| tx.put(&key, &LayerRecord { kept: false, ..layer }))
        })?;
        Ok(())
    }
}
