//! The end of a load: layers get their names, and one transaction says that all images are here.

use std::sync::Arc;

use berth_oci::{ChainId, Descriptor, DiffId, ImageId};
use berth_state::{Durability, Transaction};

use super::catalogue::{Described, Own};
use super::layers::{Came, Slot};
use super::{LoadEvent, Tell, Whole, lost};
use crate::Lease;
use crate::fresh::Fresh;
use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::resolve::name_key;
use crate::store::{Inner, now};
use crate::{Error, Result};

/// An image whose layers and documents are stored.
struct Stored {
    id: ImageId,
    record: ImageRecord,
    parent: Option<ImageId>,
    /// Keys, and names as users write them.
    names: Vec<(String, String)>,
}

/// Makes images visible, all at once.
pub(super) fn publish(inner: &Arc<Inner>, images: Vec<Whole>, mut came: Came, tell: Tell<'_>) -> Result<Vec<ImageId>> {
    let mut lease = inner.lease(Vec::new(), Vec::new());
    let stored = images.into_iter().map(|image| store(inner, image, &mut came, &mut lease));
    let stored: Vec<Stored> = stored.collect::<Result<_>>()?;
    let ids = stored.iter().map(|image| image.id.clone()).collect();
    let events = inner.state.write(Durability::Synced, move |tx| {
        let mut events = Vec::new();
        for image in &stored {
            write(tx, image, &mut events)?;
        }
        for image in &stored {
            image.parent.as_ref().map_or(Ok(()), |parent| crate::family::adopt(tx, &image.id, parent))?;
        }
        Ok(events)
    })?;
    drop(lease);
    inner.write_index();
    events.into_iter().for_each(tell);
    Ok(ids)
}

fn write(tx: &mut Transaction<'_>, image: &Stored, events: &mut Vec<LoadEvent>) -> berth_state::Result<()> {
    // What is here may have come from a registry, and knows more of it.
    if !tx.exists::<ImageRecord>(image.id.as_str())? {
        tx.put(image.id.as_str(), &image.record)?;
    }
    if image.names.is_empty() {
        events.push(LoadEvent::Nameless(image.id.clone()));
    }
    for (key, name) in &image.names {
        let old = tx.get::<NameRecord>(key)?.map(|before| before.image).filter(|old| *old != image.id);
        events.extend(old.map(|old| LoadEvent::Renamed { name: name.clone(), old }));
        tx.put(key, &NameRecord { image: image.id.clone(), digest: None })?;
        events.push(LoadEvent::Named { name: name.clone(), image: image.id.clone() });
    }
    Ok(())
}

/// Stores an image's layers and documents, durably.
fn store(inner: &Inner, image: Whole, came: &mut Came, lease: &mut Lease) -> Result<Stored> {
    let Whole { described, id, config, layers } = image;
    let (mut chains, mut blobs, mut size) = (Vec::new(), Vec::new(), 0);
    for (diff_id, slot) in layers {
        let (chain, record) = layer(inner, &diff_id, &slot, chains.last(), came, lease)?;
        size += record.size;
        blobs.push(record.blob);
        chains.push(chain);
    }
    let manifest = manifest(inner, &described, blobs)?;
    let documents = [(id.digest(), &described.config), (&manifest.descriptor.digest, &manifest.bytes)];
    for (digest, bytes) in documents {
        lease.blob(digest);
        inner.content.put(digest, bytes)?;
    }
    let record = ImageRecord {
        config,
        manifest: manifest.descriptor,
        config_blob: id.digest().clone(),
        index: None,
        blobs: manifest.layers.into_iter().map(|layer| layer.digest).collect(),
        layers: chains,
        size,
        tagged_at: now(),
        origin: None,
        others: Vec::new(),
    };
    let names = described.names.iter().map(|name| (name_key(name), name.familiar())).collect();
    Ok(Stored { id, record, parent: described.parent, names })
}

/// The archive's own manifest, if every blob that it names is here; else one that names what is.
fn manifest(inner: &Inner, described: &Described, blobs: Vec<Descriptor>) -> Result<Own> {
    let here = |(wanted, layer): (&Descriptor, &Descriptor)| {
        wanted.digest == layer.digest || inner.content.contains(&wanted.digest)
    };
    match &described.manifest {
        Some(own) if own.layers.len() == blobs.len() && own.layers.iter().zip(&blobs).all(here) => Ok(own.clone()),
        _ => Own::generated(&described.config, blobs),
    }
}

/// Gives a layer its place in the stack, and records it.
fn layer(
    inner: &Inner,
    diff_id: &DiffId,
    slot: &Slot,
    parent: Option<&ChainId>,
    came: &mut Came,
    lease: &mut Lease,
) -> Result<(ChainId, LayerRecord)> {
    let chain = ChainId::extend(parent, diff_id);
    lease.layer(&chain);
    let fresh = match slot {
        Slot::Came(number) => came.get_mut(*number).and_then(Option::take).transpose()?,
        Slot::Here(_) => None,
    };
    let fresh = match (fresh, inner.layer(&chain)?) {
        (Some(fresh), _) => fresh,
        (None, Some(record)) => return Ok((chain, record)),
        // The same layer again, in another place.
        (None, None) => again(inner, diff_id)?,
    };
    lease.blob(&fresh.blob().digest);
    let (chain, record) = fresh.publish(inner, parent)?;
    let (key, written) = (chain.clone(), record.clone());
    // The images' own records are synced, and take this one along.
    inner.state.write(Durability::Relaxed, move |tx| tx.put(key.as_str(), &written))?;
    Ok((chain, record))
}

/// A layer that is here in another place, unpacked once more.
fn again(inner: &Inner, diff_id: &DiffId) -> Result<Fresh> {
    let layers = inner.state.read(|reader| reader.list::<LayerRecord>())?;
    let same = layers.into_iter().find(|(_, layer)| layer.diff_id == *diff_id);
    let (key, same) = same.ok_or_else(|| Error::Content(format!("the layer {diff_id} went away")))?;
    let chain = ChainId::parse(&key).map_err(|e| Error::State(format!("reading the layer {key:?}: {e}")))?;
    let fresh = Fresh::of_tar(inner, crate::open::open_archive(inner, &chain)?)?;
    match fresh.diff_id() == diff_id {
        true => Ok(fresh),
        false if !crate::open::gives_archive(inner, &same) => Err(crate::open::away(&same.blob.digest)),
        false => Err(lost(&chain)),
    }
}
