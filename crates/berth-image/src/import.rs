//! `import`: an image of one layer, made of an archive of a root file system.

use std::io::{BufReader, Read};
use std::sync::Arc;

use berth_oci::{
    ContainerConfig, Descriptor, Digest, History, ImageConfig, ImageId, Manifest, Platform, Reference, RootFs, media,
};
use berth_state::Durability;
use jiff::Timestamp;

use crate::fresh::Fresh;
use crate::record::{ImageRecord, NameRecord};
use crate::resolve::name_key;
use crate::store::{Inner, now};
use crate::{Error, Result};

const BUFFER: usize = 256 << 10;

/// What is to become of an archive.
#[derive(Debug)]
pub struct Import {
    /// What a container of it starts from.
    pub config: ContainerConfig,
    /// Where it comes from, or why.
    pub comment: String,
    /// What it runs on; the host's platform where none is given.
    pub platform: Option<Platform>,
    /// What the image is to be called.
    pub name: Option<Reference>,
}

pub(crate) fn import(inner: &Arc<Inner>, archive: impl Read + Send, import: Import) -> Result<ImageId> {
    let layer = Fresh::of_stream(inner, BufReader::with_capacity(BUFFER, archive))?;
    let mut lease = inner.lease(Vec::new(), vec![layer.blob().digest.clone()]);
    let chain = berth_oci::ChainId::extend(None, layer.diff_id());
    lease.layer(&chain);
    let config = configuration(&import, &layer);
    let config_bytes = json(&config)?;
    let (chain, layer) = layer.publish(inner, None)?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config: Descriptor::of(media::OCI_CONFIG, &config_bytes),
        layers: vec![layer.blob.clone()],
        annotations: None,
    };
    let manifest_bytes = json(&manifest)?;
    let descriptor = Descriptor::of(media::OCI_MANIFEST, &manifest_bytes);
    let id = ImageId(Digest::of(&config_bytes));
    for (digest, bytes) in [(id.digest(), &config_bytes), (&descriptor.digest, &manifest_bytes)] {
        lease.blob(digest);
        inner.content.put(digest, bytes)?;
    }
    let image = ImageRecord {
        config,
        manifest: descriptor,
        config_blob: id.digest().clone(),
        index: None,
        blobs: vec![layer.blob.digest.clone()],
        layers: vec![chain.clone()],
        size: layer.size,
        tagged_at: now(),
        origin: None,
    };
    let (key, name) = (id.clone(), import.name.as_ref().map(name_key));
    inner.state.write(Durability::Synced, move |tx| {
        tx.put(chain.as_str(), &layer)?;
        tx.put(key.as_str(), &image)?;
        match name {
            Some(name) => tx.put(&name, &NameRecord { image: key }),
            None => Ok(()),
        }
    })?;
    drop(lease);
    inner.write_index();
    Ok(id)
}

fn configuration(import: &Import, layer: &Fresh) -> ImageConfig {
    let now = Timestamp::now().to_string();
    let platform = import.platform.clone().unwrap_or_else(Platform::host);
    let history = History { created: Some(now.clone()), comment: import.comment.clone(), ..History::default() };
    ImageConfig {
        created: Some(now),
        architecture: platform.architecture,
        variant: platform.variant,
        os: platform.os,
        config: import.config.clone(),
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![layer.diff_id().clone()] },
        history: vec![history],
        ..ImageConfig::default()
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Content(format!("writing an image's description: {e}")))
}
