//! What containers claim: while one holds an image, its layers stay, though the image be deleted by force.

use berth_oci::ImageId;
use berth_state::{Durability, Transaction};

use crate::delete::remove_unneeded;
use crate::lease::Claims;
use crate::need::Unneeded;
use crate::record::{HoldRecord, ImageRecord, hold_key};
use crate::store::ImageStore;
use crate::{Error, Lower, Result};

impl ImageStore {
    /// Claims an image for a container, within the transaction that records the container; tells whether the image
    /// is (still) here.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn hold_in(tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool> {
        let Some(record) = tx.get::<ImageRecord>(image.as_str())? else { return Ok(false) };
        let hold = HoldRecord { container: container.to_owned(), layers: record.layers };
        tx.put(&hold_key(image, container), &hold)?;
        Ok(true)
    }

    /// As [`Self::hold_in`], by itself. Relaxed: the container's own record, written after it, takes it to disk.
    ///
    /// # Errors
    /// [`Error::Vanished`], or when the records cannot be written.
    pub fn hold(&self, image: &ImageId, container: &str) -> Result<()> {
        let (id, owner) = (image.clone(), container.to_owned());
        match self.inner.state.write(Durability::Relaxed, move |tx| Self::hold_in(tx, &id, &owner))? {
            true => Ok(()),
            false => Err(Error::Vanished(image.clone())),
        }
    }

    /// Takes a container's claim back; layers of an image that was deleted meanwhile go with it.
    ///
    /// # Errors
    /// When the records cannot be written.
    pub fn release(&self, image: &ImageId, container: &str) -> Result<()> {
        let (id, owner) = (image.clone(), container.to_owned());
        let mut leases = self.inner.leases();
        let claims = leases.claims();
        // Layers go only where the image was deleted by force. Then the records must be gone for good before the
        // files are: a record that comes back after a loss of power would promise a layer that is not there.
        let last = !self.inner.state.read(|reader| reader.exists::<ImageRecord>(image.as_str()))?;
        let durability = if last { Durability::Synced } else { Durability::Relaxed };
        let gone = self.inner.state.try_write(durability, move |tx| release(tx, &id, &owner, &claims))?;
        self.inner.discard(&gone);
        leases.spare(gone.spared);
        Ok(())
    }

    /// As [`Self::release`], within the transaction that removes the container's record; false: the image was deleted
    /// meanwhile, so that its layers may go with the claim, and [`Self::release`] must see to it.
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn release_in(tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool> {
        let is_there = tx.exists::<ImageRecord>(image.as_str())?;
        if is_there {
            tx.delete::<HoldRecord>(&hold_key(image, container))?;
        }
        Ok(is_there)
    }

    /// Takes back the claims of containers that are no more (for the engine's start).
    ///
    /// # Errors
    /// When the records cannot be read or written.
    pub fn retain_holds(&self, lives: &dyn Fn(&str) -> bool) -> Result<()> {
        let holds = self.inner.state.read(|reader| reader.list::<HoldRecord>())?;
        for (key, hold) in holds.into_iter().filter(|(_, hold)| !lives(&hold.container)) {
            if let Some(image) = key.split('/').next().and_then(|id| ImageId::parse(id).ok()) {
                self.release(&image, &hold.container)?;
            }
        }
        Ok(())
    }

    /// As [`Self::root`], of the image that a container holds, which may have been deleted by force.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`] if the container holds no such image.
    pub fn held_root(&self, image: &ImageId, container: &str) -> Result<Vec<Lower>> {
        let hold = self.inner.state.read(|reader| reader.get::<HoldRecord>(&hold_key(image, container)))?;
        let hold = hold.ok_or_else(|| Error::NoSuchImage(image.to_string()))?;
        Ok(self.inner.layers.lowers(&hold.layers))
    }
}

/// Takes a claim back; what nobody else needs then is given back for removal.
fn release(tx: &mut Transaction<'_>, image: &ImageId, container: &str, claims: &Claims) -> Result<Unneeded> {
    let key = hold_key(image, container);
    let Some(hold) = tx.get::<HoldRecord>(&key)? else { return Ok(Unneeded::default()) };
    tx.delete::<HoldRecord>(&key)?;
    if tx.exists::<ImageRecord>(image.as_str())? {
        return Ok(Unneeded::default());
    }
    remove_unneeded(tx, &hold.layers, Vec::new(), claims)
}
