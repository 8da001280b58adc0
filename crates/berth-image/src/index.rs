//! `content/index.json`: what other tools see of the blob store.

use berth_state::Reader;

use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::store::Inner;
use crate::{Error, Result};

/// What OCI layouts call an entry's name.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

impl Inner {
    /// Tells other tools what the blob store has: images that have a name and all of whose blobs are kept. Never read
    /// back by us: a failure costs nobody anything here.
    pub(crate) fn write_index(&self) {
        let written = self.state.read(|reader| {
            let mut entries = Vec::new();
            for (key, name) in reader.list::<NameRecord>()? {
                let Some(image) = reader.get::<ImageRecord>(name.image.as_str())? else { continue };
                let image = image.called(name.digest.as_ref());
                if !self.keeps_all_blobs(reader, &image)? {
                    continue;
                }
                // Of a list of several platforms' images there is this one.
                let mut entry = image.manifest;
                entry.platform = Some(image.config.platform());
                entry.annotations.get_or_insert_default().insert(REF_NAME.to_owned(), key);
                entries.push(entry);
            }
            self.content.write_index(&entries).map_err(Error::from)
        });
        if let Err(error) = written {
            tracing::warn!(%error, "index.json of the blob store could not be written");
        }
    }

    /// Whether an image's layers are all here in the form it names.
    fn keeps_all_blobs(&self, reader: &Reader<'_>, image: &ImageRecord) -> Result<bool> {
        for (chain, blob) in image.layers.iter().zip(&image.blobs) {
            let layer = reader.get::<LayerRecord>(chain.as_str())?;
            let kept = layer.is_some_and(|layer| layer.kept && layer.blob.digest == *blob);
            if !kept && !self.content.contains(blob) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
