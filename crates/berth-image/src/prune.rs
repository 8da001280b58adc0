//! `image prune`: images that nothing needs.
//!
//! What goes is chosen first; removing it, in one transaction, leaves out what somebody has begun to need meanwhile.
//! A dry run is the same transaction, and is undone.

use berth_state::Durability;

use crate::delete::{DeleteOptions, Deleted, Deletion, Gone};
use crate::record::{ImageRecord, holders};
use crate::resolve::names;
use crate::{Error, Image, ImageStore, Result, family};

/// What pruning removed, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// What went, in order.
    pub lines: Vec<Deleted>,
    /// Bytes of the layers and blobs that went.
    pub freed: u64,
}

/// Why a transaction was undone.
enum Undone {
    /// It was only to be seen what would go.
    Dry(Pruned),
    Failed(Error),
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<berth_state::Error> for Undone {
    fn from(error: berth_state::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl ImageStore {
    /// Removes those of `chosen` (as [`ImageStore::list`] gave them) that no container needs and whose names are still
    /// the same, and what they were made of, as far as nobody needs that; and what interrupted pulls have left for the
    /// next try. With `dry` nothing is removed, and the answer is the same.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn prune(&self, chosen: &[Image], dry: bool) -> Result<Pruned> {
        let mut leases = self.inner.leases();
        let claims = leases.claims();
        let chosen = chosen.to_vec();
        let done = self.inner.state.try_write(Durability::Synced, move |tx| {
            let mut deletion = Deletion::new(tx, DeleteOptions::default(), &claims);
            chosen.iter().try_for_each(|image| one(&mut deletion, image))?;
            let Gone { lines, files } = deletion.gone;
            let pruned = Pruned { lines, freed: files.freed };
            if dry { Err(Undone::Dry(pruned)) } else { Ok((files, pruned)) }
        });
        let (files, mut pruned) = match done {
            Ok(done) => done,
            Err(Undone::Dry(mut pruned)) => {
                drop(leases);
                pruned.freed += self.inner.waiting()?;
                return Ok(pruned);
            }
            Err(Undone::Failed(error)) => return Err(error),
        };
        self.inner.discard(&files);
        leases.spare(files.spared);
        drop(leases);
        pruned.freed += self.inner.forget_waiting()?;
        self.inner.write_index();
        Ok(pruned)
    }
}

/// Name by name, as if each had been given to `rmi`; an image without names by its id.
fn one(deletion: &mut Deletion<'_, '_>, image: &Image) -> Result<()> {
    let Some(record) = deletion.tx.get::<ImageRecord>(image.id.as_str())? else { return Ok(()) };
    let references = names(deletion.tx, &image.id)?;
    let now = Image::new(image.id.clone(), record, &references);
    let same = now.repo_tags == image.repo_tags && now.repo_digests == image.repo_digests;
    if !same || !holders(deletion.tx, &image.id)?.is_empty() {
        return Ok(());
    }
    if references.is_empty() {
        return match family::has_children(deletion.tx, &image.id)? {
            true => Ok(()),
            false => deletion.named(&image.id, image.id.as_str()),
        };
    }
    // With the last tag of a repository its digests go as well.
    for reference in references {
        let name = reference.familiar();
        let there = names(deletion.tx, &image.id)?.contains(&reference);
        if there {
            deletion.named(&image.id, &name)?;
        }
    }
    Ok(())
}
