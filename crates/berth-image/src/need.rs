//! Who needs what, counted from the records each time: a count that is kept can be wrong after a crash, one that is
//! made cannot.
//!
//! A layer is needed by images and by containers' holds. A blob is needed by images, and by layers as the form they
//! came in. A layer that nobody needs is what an interrupted pull has brought: it is kept for a day, so that the next
//! try need not fetch it again.

use std::collections::{BTreeMap, BTreeSet};

use berth_oci::{ChainId, Digest};
use berth_state::Reader;

use crate::Result;
use crate::lease::Claims;
use crate::record::{HoldRecord, ImageRecord, LayerRecord};

/// How long an interrupted pull's layers wait for the next try, in seconds.
pub(crate) const STALE_AFTER: i64 = 24 * 60 * 60;

/// Everything that somebody needs.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    /// By images and holds.
    layers: BTreeSet<ChainId>,
    /// By images, but for those that are not kept beside their layer.
    blobs: BTreeSet<Digest>,
    /// Every layer that is recorded.
    recorded: BTreeMap<ChainId, Recorded>,
}

#[derive(Debug)]
struct Recorded {
    blob: Digest,
    /// Bytes of the blob.
    compressed: u64,
    /// Bytes of the files.
    size: u64,
    kept: bool,
    created_at: i64,
}

/// What is to go.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Unneeded {
    pub(crate) layers: Vec<ChainId>,
    pub(crate) blobs: Vec<Digest>,
    /// What would go, were it not for a lease.
    pub(crate) spared: Vec<ChainId>,
    /// Bytes of those layers and of their blobs.
    pub(crate) freed: u64,
}

impl Unneeded {
    pub(crate) fn extend(&mut self, other: Self) {
        self.layers.extend(other.layers);
        self.blobs.extend(other.blobs);
        self.spared.extend(other.spared);
        self.freed += other.freed;
    }
}

impl Needed {
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self> {
        let mut needed = Self::default();
        for (_, hold) in reader.list::<HoldRecord>()? {
            needed.layers.extend(hold.layers);
        }
        let mut let_go = BTreeSet::new();
        for (key, layer) in reader.list::<LayerRecord>()? {
            let Ok(chain) = ChainId::parse(&key) else { continue };
            if !layer.kept {
                let_go.insert(layer.blob.digest.clone());
            }
            let recorded = Recorded {
                blob: layer.blob.digest,
                compressed: layer.blob.size,
                size: layer.size,
                kept: layer.kept,
                created_at: layer.created_at,
            };
            needed.recorded.insert(chain, recorded);
        }
        for (_, image) in reader.list::<ImageRecord>()? {
            needed.blobs.extend(image.documents().cloned());
            let layers = image.others.iter().flat_map(|form| &form.blobs).chain(&image.blobs);
            needed.blobs.extend(layers.filter(|blob| !let_go.contains(*blob)).cloned());
            needed.layers.extend(image.layers);
        }
        Ok(needed)
    }

    /// Whether an image or a container needs the layer.
    pub(crate) fn layer(&self, chain: &ChainId) -> bool {
        self.layers.contains(chain)
    }

    /// Whether an image or a layer needs the blob.
    pub(crate) fn blob(&self, digest: &Digest) -> bool {
        self.blobs.contains(digest) || self.recorded.values().any(|layer| layer.kept && layer.blob == *digest)
    }

    /// Layers that nobody came to need since `before`.
    pub(crate) fn stale_layers(&self, before: i64) -> impl Iterator<Item = &ChainId> {
        let stale = move |(chain, layer): &(&ChainId, &Recorded)| !self.layer(chain) && layer.created_at < before;
        self.recorded.iter().filter(stale).map(|(chain, _)| chain)
    }

    /// Every recorded layer.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = &ChainId> {
        self.recorded.keys()
    }

    /// What goes if nobody needs it: of `layers` those that nobody needs and no lease claims, in the order given; of
    /// `blobs` and the blobs that those layers came in those that nobody needs then.
    pub(crate) fn unneeded<'c>(
        mut self,
        layers: impl IntoIterator<Item = &'c ChainId>,
        blobs: impl IntoIterator<Item = Digest>,
        claims: &Claims,
    ) -> Unneeded {
        let mut gone = Unneeded::default();
        let mut candidates: BTreeMap<Digest, u64> = blobs.into_iter().map(|blob| (blob, 0)).collect();
        for chain in layers {
            if self.layer(chain) || !self.recorded.contains_key(chain) {
                continue;
            }
            if claims.layers.contains(chain) {
                gone.spared.push(chain.clone());
            } else if let Some(layer) = self.recorded.remove(chain) {
                gone.layers.push(chain.clone());
                gone.freed += layer.size;
                let compressed = if layer.kept { layer.compressed } else { 0 };
                candidates.insert(layer.blob, compressed);
            }
        }
        for (blob, bytes) in candidates {
            if !self.blob(&blob) && !claims.blobs.contains(&blob) {
                gone.blobs.push(blob);
                gone.freed += bytes;
            }
        }
        gone
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn chain(n: u8) -> ChainId {
        ChainId(digest(n))
    }

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    fn recorded(blob: u8, kept: bool) -> Recorded {
        Recorded { blob: digest(blob), compressed: 10, size: 100, kept, created_at: 0 }
    }

    fn needed(layers: &[(u8, u8, bool)]) -> Needed {
        let recorded = layers.iter().map(|(c, blob, kept)| (chain(*c), recorded(*blob, *kept))).collect();
        Needed { recorded, ..Needed::default() }
    }

    #[test]
    fn a_blob_goes_with_the_last_layer_that_came_in_it() {
        let stack = [chain(2), chain(1)];
        let both = needed(&[(1, 7, true), (2, 7, true)]).unneeded(&stack, [], &Claims::default());
        assert_eq!((both.layers.len(), both.blobs, both.freed), (2, vec![digest(7)], 210));
        let mut one = needed(&[(1, 7, true), (2, 7, true)]);
        one.layers.insert(chain(1));
        let one = one.unneeded(&stack, [digest(7)], &Claims::default());
        assert_eq!((one.layers, one.blobs, one.freed), (vec![chain(2)], vec![], 100));
    }

    #[test]
    fn what_is_claimed_stays() {
        let claims = Claims { layers: [chain(1)].into(), blobs: [digest(8)].into() };
        let gone = needed(&[(1, 7, true), (2, 8, true)]).unneeded(&[chain(1), chain(2)], [], &claims);
        assert_eq!(gone.spared, vec![chain(1)]);
        assert_eq!((gone.layers, gone.blobs), (vec![chain(2)], vec![]));
    }

    #[test]
    fn a_blob_that_is_not_kept_is_needed_by_no_layer() {
        assert!(!needed(&[(1, 7, false)]).blob(&digest(7)));
        assert!(needed(&[(1, 7, false), (2, 7, true)]).blob(&digest(7)));
    }

    #[test]
    fn layers_without_a_need_grow_stale() {
        let mut some = needed(&[(1, 7, true), (2, 8, true)]);
        some.layers.insert(chain(1));
        assert_eq!(some.stale_layers(1).collect::<Vec<_>>(), [&chain(2)]);
        assert_eq!(some.stale_layers(0).count(), 0);
    }
}
