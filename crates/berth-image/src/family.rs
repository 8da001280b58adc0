//! Which image was made of which: a commit remembers the image its container stood on.
//!
//! Pulled images have no parents: a registry does not say. A parent cannot be deleted before its children, and one
//! that has no name is shown only where all images are asked for.

use std::collections::HashMap;

use berth_oci::ImageId;
use berth_state::{Reader, Transaction};

use crate::record::{ImageRecord, ParentRecord};
use crate::{Error, ImageStore, Result};

/// The image that this one was made of, if that is (still) here.
pub(crate) fn parent(reader: &Reader<'_>, image: &ImageId) -> Result<Option<ImageId>> {
    let parent = reader.get::<ParentRecord>(image.as_str())?.map(|record| record.parent);
    Ok(match parent {
        Some(parent) if reader.exists::<ImageRecord>(parent.as_str())? => Some(parent),
        _ => None,
    })
}

/// Whether another image was made of this one.
pub(crate) fn has_children(reader: &Reader<'_>, image: &ImageId) -> Result<bool> {
    Ok(reader.list::<ParentRecord>()?.iter().any(|(_, record)| record.parent == *image))
}

/// Remembers what an image was made of; a parent that is gone is none.
pub(crate) fn adopt(tx: &mut Transaction<'_>, child: &ImageId, parent: &ImageId) -> berth_state::Result<()> {
    if child == parent || !tx.exists::<ImageRecord>(parent.as_str())? {
        return Ok(());
    }
    tx.put(child.as_str(), &ParentRecord { parent: parent.clone() })
}

impl ImageStore {
    /// Every image that was made of another one here, with that one.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn parents(&self) -> Result<HashMap<ImageId, ImageId>> {
        let records = self.inner.state.read(|reader| reader.list::<ParentRecord>())?;
        let parse = |key: &str| {
            ImageId::parse(key).map_err(|e| Error::State(format!("reading the parent of the image {key:?}: {e}")))
        };
        records.into_iter().map(|(key, record)| Ok((parse(&key)?, record.parent))).collect()
    }

    /// The image that this one was made of, if that is here.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn parent(&self, image: &ImageId) -> Result<Option<ImageId>> {
        self.inner.state.read(|reader| parent(reader, image))
    }
}
