//! Leases: what somebody works with is not deleted meanwhile.
//!
//! Who writes claims what it is going to need before asking whether it is here, and lets go when the record that needs
//! it is written; who reads claims it together with the record ([`Inner::lease_image`]). A deletion looks at the
//! claims and removes files under the same lock, so that neither can come between the other's steps.
//!
//! What a lease held back goes when the last lease on it does, and so does a blob that was put under a lease and never
//! recorded: see [`Inner::collect`]. Leases are memory. After a crash there are none, and the sweep when the store is
//! opened does the same.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use berth_oci::{ChainId, Digest, ImageId};
use berth_state::Durability;

use crate::need::{Needed, STALE_AFTER};
use crate::record::{ImageRecord, LayerRecord};
use crate::store::{Inner, now};
use crate::{Error, ImageStore, Result};

/// Who claims what, counted.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    layers: HashMap<ChainId, usize>,
    blobs: HashMap<Digest, usize>,
    /// Layers that a deletion would have taken.
    spared: BTreeSet<ChainId>,
}

/// What is claimed, at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims {
    pub(crate) layers: BTreeSet<ChainId>,
    pub(crate) blobs: BTreeSet<Digest>,
}

/// A claim on layers and blobs: they are not deleted while it lives.
///
/// It protects files, not names: an image may be untagged and forgotten while somebody works with it, and its files
/// go when the work is done.
#[derive(Debug)]
pub struct Lease {
    inner: Arc<Inner>,
    layers: Vec<ChainId>,
    blobs: Vec<Digest>,
}

impl Leases {
    pub(crate) fn claims(&self) -> Claims {
        Claims { layers: self.layers.keys().cloned().collect(), blobs: self.blobs.keys().cloned().collect() }
    }

    /// Remembers layers that only a lease keeps.
    pub(crate) fn spare(&mut self, layers: impl IntoIterator<Item = ChainId>) {
        self.spared.extend(layers);
    }
}

impl ImageStore {
    /// Claims everything that an image consists of.
    ///
    /// # Errors
    /// [`Error::Vanished`] if it has been deleted.
    pub fn lease(&self, image: &ImageId) -> Result<Lease> {
        self.inner.lease_image(image).map(|(lease, _)| lease)
    }
}

impl Inner {
    /// Claims layers and blobs, whether they are here or not.
    pub(crate) fn lease(self: &Arc<Self>, layers: Vec<ChainId>, blobs: Vec<Digest>) -> Lease {
        let mut leases = self.leases();
        layers.iter().for_each(|layer| claim(&mut leases.layers, layer));
        blobs.iter().for_each(|blob| claim(&mut leases.blobs, blob));
        drop(leases);
        Lease { inner: self.clone(), layers, blobs }
    }

    /// An image's record, and a claim on everything that it names and on the blobs that its layers came in.
    pub(crate) fn lease_image(self: &Arc<Self>, image: &ImageId) -> Result<(Lease, ImageRecord)> {
        let mut leases = self.leases();
        let found = self.state.read(|reader| {
            let Some(record) = reader.get::<ImageRecord>(image.as_str())? else { return Ok::<_, Error>(None) };
            let mut blobs: Vec<Digest> = record.blobs().cloned().collect();
            for chain in &record.layers {
                blobs.extend(reader.get::<LayerRecord>(chain.as_str())?.map(|layer| layer.blob.digest));
            }
            Ok(Some((record, blobs)))
        })?;
        let (record, blobs) = found.ok_or_else(|| Error::Vanished(image.clone()))?;
        let layers = record.layers.clone();
        layers.iter().for_each(|layer| claim(&mut leases.layers, layer));
        blobs.iter().for_each(|blob| claim(&mut leases.blobs, blob));
        drop(leases);
        Ok((Lease { inner: self.clone(), layers, blobs }, record))
    }

    /// Removes what was kept for a lease only: those of `blobs` that no record needs, layers that a deletion spared,
    /// and layers of pulls that nobody took up again within a day.
    pub(crate) fn collect(&self, blobs: Vec<Digest>) -> Result<()> {
        let mut leases = self.leases();
        let claims = leases.claims();
        let (waiting, mut layers) =
            std::mem::take(&mut leases.spared).into_iter().partition(|c| claims.layers.contains(c));
        leases.spared = waiting;
        let (stale, gone) = self.state.read(|reader| {
            let needed = Needed::read(reader)?;
            let stale: Vec<ChainId> = needed.stale_layers(now() - STALE_AFTER).cloned().collect();
            let gone = needed.unneeded(layers.iter().chain(&stale), blobs.iter().cloned(), &claims);
            Ok::<_, Error>((stale, gone))
        })?;
        let gone = match gone.layers.is_empty() {
            true => gone,
            false => {
                layers.extend(stale);
                self.state.try_write(Durability::Synced, move |tx| {
                    let layers: Vec<ChainId> = layers.into_iter().collect();
                    crate::delete::remove_unneeded(tx, &layers, blobs, &claims)
                })?
            }
        };
        self.discard(&gone);
        drop(leases);
        // Looking at them removes those that nobody came back for.
        self.content.partials()?;
        Ok(())
    }
}

impl Lease {
    /// Claims what the present record of an image names, if there is one: whoever writes another (the same image by
    /// another manifest) leaves nothing behind, because what the new one does not need goes with the lease.
    pub(crate) fn former(&mut self, image: &ImageId) -> Result<()> {
        let record = self.inner.state.read(|reader| reader.get::<ImageRecord>(image.as_str()))?;
        record.iter().flat_map(ImageRecord::blobs).for_each(|blob| self.blob(blob));
        Ok(())
    }

    /// Claims one more layer.
    pub(crate) fn layer(&mut self, layer: &ChainId) {
        claim(&mut self.inner.leases().layers, layer);
        self.layers.push(layer.clone());
    }

    /// Claims one more blob.
    pub(crate) fn blob(&mut self, blob: &Digest) {
        claim(&mut self.inner.leases().blobs, blob);
        self.blobs.push(blob.clone());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leases = self.inner.leases();
        let mut spared = false;
        for layer in &self.layers {
            spared |= release(&mut leases.layers, layer) && leases.spared.contains(layer);
        }
        let mut blobs = std::mem::take(&mut self.blobs);
        blobs.retain(|blob| release(&mut leases.blobs, blob));
        drop(leases);
        // Most often everything is recorded by now, or never came to be: a look at the records, and no write. Off the
        // path of whoever lets go, which may be a task that must not block.
        blobs.retain(|blob| self.inner.content.contains(blob));
        if blobs.is_empty() && !spared {
            return;
        }
        let inner = self.inner.clone();
        let collect = move || {
            if let Err(error) = inner.collect(blobs) {
                tracing::warn!(%error, "what nobody needs any longer could not be removed; the next start does it");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("collect".into()).spawn(collect) {
            tracing::warn!(%error, "no thread for removing what nobody needs");
        }
    }
}

fn claim<K: Hash + Eq + Clone>(counts: &mut HashMap<K, usize>, key: &K) {
    *counts.entry(key.clone()).or_default() += 1;
}

/// Tells whether it was the last claim.
fn release<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else { return false };
    *count -= 1;
    if *count > 0 {
        return false;
    }
    counts.remove(key);
    true
}
