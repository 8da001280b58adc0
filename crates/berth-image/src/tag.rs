//! `tag`: one more name for an image.

use berth_oci::{Digest, ImageId, Reference};
use berth_state::{Durability, Reader};

use crate::record::{ImageRecord, NameRecord};
use crate::resolve::{name_key, resolve};
use crate::store::now;
use crate::{Error, ImageStore, Result};

impl ImageStore {
    /// Gives the image that `source` means the name `target`, durably; another image that had it loses it.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], or a name that no tag may have: with a digest, or called like a digest's algorithm.
    pub fn tag(&self, source: &str, target: &Reference) -> Result<ImageId> {
        if target.digest().is_some() {
            return Err(Error::TagRefused("a tag with a digest reference"));
        }
        if matches!(target.familiar_name().as_str(), "sha256" | "sha384" | "sha512") {
            return Err(Error::TagRefused("an ambiguous tag using digest algorithm as name"));
        }
        let (source, key) = (source.to_owned(), name_key(target));
        let image = self.inner.state.try_write(Durability::Synced, move |tx| {
            let image = resolve(tx, &source)?;
            let digest = came_by(tx, &source, &image)?;
            let record = tx.get::<ImageRecord>(image.as_str())?;
            let record = record.ok_or_else(|| Error::Vanished(image.clone()))?;
            tx.put(image.as_str(), &ImageRecord { tagged_at: now(), ..record })?;
            tx.put(&key, &NameRecord { image: image.clone(), digest })?;
            Ok::<_, Error>(image)
        })?;
        self.inner.write_index();
        Ok(image)
    }
}

/// By which manifest the image came under the name `text`, if that is one.
fn came_by(reader: &Reader<'_>, text: &str, image: &ImageId) -> Result<Option<Digest>> {
    let Ok(reference) = Reference::parse(text) else { return Ok(None) };
    let name = reader.get::<NameRecord>(&name_key(&reference))?.filter(|name| name.image == *image);
    Ok(name.and_then(|name| name.digest.or_else(|| reference.digest().cloned())))
}
