//! What a pull would do, without doing it.

use berth_oci::{Digest, ImageConfig, ImageId, Platform, Reference};

use super::source::Source;
use super::{check_manifest, choose, small_blob, source, stack};
use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::resolve::name_key;
use crate::{Credentials, Error, ImageStore, Result};

/// What a pull would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullPlan {
    /// The image.
    pub id: ImageId,
    /// What the name stands for at its source.
    pub digest: Digest,
    /// The platform that was chosen.
    pub platform: Platform,
    /// The name stands for this image here already.
    pub up_to_date: bool,
    /// Bottom first.
    pub layers: Vec<PlannedLayer>,
}

/// One layer of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLayer {
    /// The compressed layer.
    pub blob: Digest,
    /// Its bytes.
    pub size: u64,
    /// How many of them would be fetched.
    pub missing: u64,
    /// Nothing has to be done for it: it is unpacked.
    pub here: bool,
}

impl ImageStore {
    /// Asks what pulling a name would bring, and looks what of it is here.
    ///
    /// # Errors
    /// What the source said; what is wrong with the image, as the pull would say it.
    pub async fn plan_pull(
        &self,
        reference: &Reference,
        platform: Option<Platform>,
        credentials: Option<Credentials>,
    ) -> Result<PullPlan> {
        let inner = &self.inner;
        let source = source(inner, reference, credentials)?;
        let chosen = choose::choose(&*source, reference, platform.as_ref()).await?;
        check_manifest(&chosen.manifest)?;
        let id = ImageId(chosen.manifest.config.digest.clone());
        let config = match inner.state.read(|reader| reader.get::<ImageRecord>(id.as_str()))? {
            Some(record) => record.config,
            None => config(&*source, &chosen).await?,
        };
        choose::check_platform(&config, reference, platform.as_ref(), chosen.index.is_some())?;
        let begun = inner.content.partials()?;
        let mut layers = Vec::new();
        for wanted in stack(&chosen.manifest, &config)? {
            let here = inner.state.read(|reader| reader.exists::<LayerRecord>(wanted.chain.as_str()))?;
            let came = match inner.content.contains(&wanted.blob.digest) {
                true => wanted.blob.size,
                false => {
                    begun.iter().find(|p| p.digest == wanted.blob.digest).map_or(0, |p| p.size.min(wanted.blob.size))
                }
            };
            let missing = if here { 0 } else { wanted.blob.size - came };
            layers.push(PlannedLayer { blob: wanted.blob.digest, size: wanted.blob.size, missing, here });
        }
        let named = inner.state.read(|reader| reader.get::<NameRecord>(&name_key(reference)))?;
        let up_to_date = named.is_some_and(|name| name.image == id) && layers.iter().all(|layer| layer.here);
        Ok(PullPlan { id, digest: chosen.root_digest().clone(), platform: config.platform(), up_to_date, layers })
    }
}

async fn config(source: &dyn Source, chosen: &choose::Chosen) -> Result<ImageConfig> {
    let bytes = small_blob(source, &chosen.manifest.config).await?;
    ImageConfig::parse(&bytes).map_err(|e| Error::BadImage(format!("the image configuration does not parse: {e}")))
}
