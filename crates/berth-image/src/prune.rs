//! `image prune`: images that nothing needs.
//!
//! What goes is chosen and measured first, from the records alone ([`measure`]); removing takes the same records in
//! one transaction, and leaves out what somebody has begun to need meanwhile.

use std::collections::BTreeSet;

use berth_oci::{ChainId, ImageId};
use berth_state::{Durability, Reader, Transaction};

use crate::delete::{Deleted, Deletion};
use crate::lease::Claims;
use crate::need::Unneeded;
use crate::record::{HoldRecord, ImageRecord, LayerRecord, holders};
use crate::resolve::names;
use crate::{Image, ImageStore, Result};

/// What pruning removed, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Each image, and what was said of it.
    pub images: Vec<(ImageId, Vec<Deleted>)>,
    /// Bytes of the layers that went with them.
    pub freed: u64,
}

#[derive(Debug, Default)]
struct Gone {
    pruned: Pruned,
    all: Unneeded,
}

impl ImageStore {
    /// Removes those of `chosen` (as [`ImageStore::list`] gave them) that no container needs and whose names are still
    /// the same. With `dry` nothing is removed, and the answer is the same.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn prune(&self, chosen: &[Image], dry: bool) -> Result<Pruned> {
        let mut leases = self.inner.leases();
        let claims = leases.claims();
        if dry {
            return self.inner.state.read(|reader| measure(reader, chosen, &claims));
        }
        let chosen = chosen.to_vec();
        let gone = self.inner.state.try_write(Durability::Synced, move |tx| remove(tx, &chosen, &claims))?;
        self.inner.discard(&gone.all);
        leases.spare(gone.all.spared);
        drop(leases);
        self.inner.write_index();
        Ok(gone.pruned)
    }
}

/// Nobody needs the image, and it is called what it was called when it was chosen.
fn unneeded(reader: &Reader<'_>, image: &Image) -> Result<bool> {
    let Some(record) = reader.get::<ImageRecord>(image.id.as_str())? else { return Ok(false) };
    let now = Image::new(image.id.clone(), record, &names(reader, &image.id)?);
    let same = now.repo_tags == image.repo_tags && now.repo_digests == image.repo_digests;
    Ok(same && holders(reader, &image.id)?.is_empty())
}

/// What removing would come to.
fn measure(reader: &Reader<'_>, chosen: &[Image], claims: &Claims) -> Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut going = BTreeSet::new();
    for image in chosen {
        if unneeded(reader, image)? {
            going.insert(image.id.clone());
        }
    }
    let (images, holds) = (reader.list::<ImageRecord>()?, reader.list::<HoldRecord>()?);
    let goes = |key: &str| going.iter().any(|id| id.as_str() == key);
    let mut needed: BTreeSet<ChainId> = holds.iter().flat_map(|(_, hold)| hold.layers.iter().cloned()).collect();
    needed.extend(images.iter().filter(|(key, _)| !goes(key)).flat_map(|(_, image)| image.layers.iter().cloned()));
    for image in chosen.iter().filter(|image| going.contains(&image.id)) {
        let references = names(reader, &image.id)?;
        let mut lines: Vec<Deleted> = references.iter().map(|name| Deleted::Untagged(name.familiar())).collect();
        lines.push(Deleted::Deleted(image.id.digest().clone()));
        for chain in image.layers.iter().rev() {
            if claims.layers.contains(chain) || !needed.insert(chain.clone()) {
                continue;
            }
            if let Some(layer) = reader.get::<LayerRecord>(chain.as_str())? {
                pruned.freed += layer.size;
                lines.push(Deleted::Deleted(chain.digest().clone()));
            }
        }
        pruned.images.push((image.id.clone(), lines));
    }
    Ok(pruned)
}

fn remove(tx: &mut Transaction<'_>, chosen: &[Image], claims: &Claims) -> Result<Gone> {
    let mut gone = Gone { pruned: measure(tx, chosen, claims)?, ..Gone::default() };
    gone.pruned.images.clear();
    for image in chosen {
        if !unneeded(tx, image)? {
            continue;
        }
        let mut deletion = Deletion::new(tx, image.id.clone(), claims);
        gone.all.extend(deletion.whole()?);
        gone.pruned.images.push((image.id.clone(), deletion.lines));
    }
    Ok(gone)
}
