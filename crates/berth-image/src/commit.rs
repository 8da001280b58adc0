//! Making an image of a container: its writable layer becomes one more layer on those it stands on.
//!
//! The layer's archive is made once, on its way into the layer's digest and the layer. It is in the layer then, or can
//! be made of it at any time ([`crate::ImageStore::open_layer`]), so a commit writes the data once and compresses
//! nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use berth_oci::{Algorithm, ChainId, History, ImageConfig, ImageId, Reference};

use crate::assembled::{Assembly, Dialect, assemble};
use crate::layers::archive::packed;
use crate::layers::incoming::Arrived;
use crate::lease::Lease;
use crate::record::{HoldRecord, LayerRecord, hold_key};
use crate::store::Inner;
use crate::{Error, Result};

/// What is to become an image.
#[derive(Debug)]
pub struct Commit {
    /// The image that the container holds.
    pub base: ImageId,
    /// The container.
    pub container: String,
    /// Its writable layer, in overlay's form.
    pub upper: PathBuf,
    /// What in it is not the container's own; paths without a leading slash.
    pub hidden: BTreeSet<Vec<u8>>,
    /// The new image's configuration; its layers and history are the base's, and are completed here.
    pub config: ImageConfig,
    /// What is said of the new layer.
    pub history: History,
    /// What the image is to be called.
    pub name: Option<Reference>,
}

pub(crate) fn commit(inner: &Arc<Inner>, commit: Commit) -> Result<ImageId> {
    let below = inner.state.read(|reader| {
        let hold = reader.get::<HoldRecord>(&hold_key(&commit.base, &commit.container))?;
        let hold = hold.ok_or_else(|| Error::Vanished(commit.base.clone()))?;
        let records: Option<Vec<LayerRecord>> =
            hold.layers.iter().map(|chain| reader.get(chain.as_str())).collect::<std::result::Result<_, _>>()?;
        Ok::<_, Error>((hold.layers, records.ok_or_else(|| Error::Vanished(commit.base.clone()))?))
    })?;
    let (chains, records) = below;
    let lease = inner.lease(chains.clone(), records.iter().map(|layer| layer.blob.digest.clone()).collect());
    let made = make(inner, &commit)?;
    publish(inner, commit, chains, records, made, lease)
}

/// The layer that the writable one becomes, of the archive that is made of it.
fn make(inner: &Inner, commit: &Commit) -> Result<Arrived> {
    let upper = File::open(&commit.upper).map_err(Error::file("opening", &commit.upper))?;
    let archive = packed(upper, commit.hidden.clone());
    let arrived = inner.layers.incoming()?.receive(archive, Algorithm::Sha256);
    arrived.map_err(|e| Error::file("archiving", &commit.upper)(io::Error::other(e.to_string())))
}

/// The layer beside those it stands on, and the image of them all.
fn publish(
    inner: &Arc<Inner>,
    commit: Commit,
    chains: Vec<ChainId>,
    below: Vec<LayerRecord>,
    made: Arrived,
    mut lease: Lease,
) -> Result<ImageId> {
    let docker = below.first().is_some_and(|layer| layer.blob.media_type.starts_with("application/vnd.docker."));
    let dialect = if docker { Dialect::Docker } else { Dialect::Oci };
    let mut layers: Vec<(ChainId, LayerRecord)> = chains.into_iter().zip(below).collect();
    // A container that changed nothing adds no layer, as with Docker.
    let empty = made.entries == 0;
    if !empty {
        layers.push(add(inner, made, layers.last().map(|(chain, _)| chain), dialect, &mut lease)?);
    }
    let mut config = commit.config;
    config.rootfs.kind = "layers".into();
    config.rootfs.diff_ids = layers.iter().map(|(_, layer)| layer.diff_id.clone()).collect();
    config.history.push(History { empty_layer: empty, ..commit.history });
    let (parent, name) = (Some(commit.base), commit.name);
    assemble(inner, Assembly { config, layers, dialect, parent, name }, lease)
}

/// Gives the layer its place; the same change on the same image is the same layer.
fn add(
    inner: &Inner,
    made: Arrived,
    parent: Option<&ChainId>,
    dialect: Dialect,
    lease: &mut Lease,
) -> Result<(ChainId, LayerRecord)> {
    let chain = ChainId::extend(parent, &made.diff_id);
    lease.layer(&chain);
    let layer = made.record(parent, made.plain(dialect.layer()), false);
    if !inner.state.read(|reader| reader.exists::<LayerRecord>(chain.as_str()))? {
        made.settle(&chain)?;
    }
    Ok((chain, layer))
}
