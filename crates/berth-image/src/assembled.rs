//! An image put together of layers that are here, or that are made now.

use std::io::Read;
use std::sync::Arc;

use berth_oci::{Algorithm, ChainId, Descriptor, ImageConfig, ImageId, Manifest, Reference, media};
use berth_state::Durability;

use crate::layers::incoming::Arrived;
use crate::lease::Lease;
use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::resolve::name_key;
use crate::store::{Inner, now};
use crate::{Error, Result};

/// Makes a layer of its archive, not compressed, which is read to its end.
pub(crate) fn layer_of_tar(inner: &Inner, tar: impl Read + Send) -> Result<Arrived> {
    let arrived = inner.layers.incoming()?.receive(tar, Algorithm::Sha256);
    arrived.map_err(|e| Error::Content(format!("making a layer: {e}")))
}

/// What an image is put together of.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// Complete: its layers are those below.
    pub(crate) config: ImageConfig,
    /// Bottom first; they are on disk, and recorded with the image where they are not yet.
    pub(crate) layers: Vec<(ChainId, LayerRecord)>,
    /// Whose words describe it.
    pub(crate) dialect: Dialect,
    /// The image that it was made of, where that counts as its parent.
    pub(crate) parent: Option<ImageId>,
    pub(crate) name: Option<Reference>,
}

/// Whose media types a manifest uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Oci,
    Docker,
}

impl Dialect {
    fn manifest(self) -> &'static str {
        match self {
            Self::Oci => media::OCI_MANIFEST,
            Self::Docker => media::DOCKER_MANIFEST,
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => media::OCI_CONFIG,
            Self::Docker => media::DOCKER_CONFIG,
        }
    }

    /// A layer whose archive is not compressed.
    pub(crate) fn layer(self) -> &'static str {
        match self {
            Self::Oci => media::OCI_LAYER,
            Self::Docker => media::DOCKER_LAYER,
        }
    }

    /// A layer as a manifest in these words calls it, whatever the manifest it came by called it.
    fn described(self, blob: &Descriptor) -> Descriptor {
        let media_type = match (self, media::essence(&blob.media_type)) {
            (Self::Oci, media::DOCKER_LAYER_GZIP) => media::OCI_LAYER_GZIP.to_owned(),
            (Self::Oci, media::DOCKER_LAYER) => media::OCI_LAYER.to_owned(),
            (_, other) => other.to_owned(),
        };
        Descriptor { media_type, ..blob.clone() }
    }
}

/// Describes and records it, durably. `lease` claims its layers and their blobs.
pub(crate) fn assemble(inner: &Arc<Inner>, assembly: Assembly, mut lease: Lease) -> Result<ImageId> {
    let Assembly { config, layers, dialect, parent, name } = assembly;
    let config_bytes = json(&config)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(dialect.manifest().to_owned()),
        artifact_type: None,
        config: Descriptor::of(dialect.config(), &config_bytes),
        layers: layers.iter().map(|(_, layer)| dialect.described(&layer.blob)).collect(),
        annotations: None,
    };
    let manifest_bytes = json(&manifest)?;
    let descriptor = Descriptor::of(dialect.manifest(), &manifest_bytes);
    for (digest, bytes) in [(&manifest.config.digest, &config_bytes), (&descriptor.digest, &manifest_bytes)] {
        lease.blob(digest);
        inner.content.put(digest, bytes)?;
    }
    let id = ImageId(manifest.config.digest.clone());
    lease.former(&id)?;
    let image = ImageRecord {
        config,
        config_blob: manifest.config.digest.clone(),
        manifest: descriptor,
        index: None,
        blobs: manifest.layers.iter().map(|layer| layer.digest.clone()).collect(),
        layers: layers.iter().map(|(chain, _)| chain.clone()).collect(),
        size: layers.iter().map(|(_, layer)| layer.size).sum(),
        tagged_at: now(),
        origin: None,
        others: Vec::new(),
    };
    let (key, name) = (id.clone(), name.as_ref().map(name_key));
    inner.state.write(Durability::Synced, move |tx| {
        for (chain, layer) in &layers {
            if !tx.exists::<LayerRecord>(chain.as_str())? {
                tx.put(chain.as_str(), layer)?;
            }
        }
        tx.put(key.as_str(), &image)?;
        if let Some(parent) = parent {
            crate::family::adopt(tx, &key, &parent)?;
        }
        match name {
            Some(name) => tx.put(&name, &NameRecord { image: key, digest: None }),
            None => Ok(()),
        }
    })?;
    drop(lease);
    inner.write_index();
    Ok(id)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Content(format!("writing an image's description: {e}")))
}
