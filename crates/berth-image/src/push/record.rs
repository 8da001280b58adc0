//! What a push leaves here: the manifest that was made for it, and the name that the registry gave.

use std::collections::HashMap;
use std::sync::Arc;

use berth_oci::{Descriptor, Digest, Document, ImageId, Reference};
use berth_state::Durability;

use super::plan::Plan;
use crate::lease::Lease;
use crate::record::{ImageRecord, NameRecord};
use crate::resolve::name_key;
use crate::store::Inner;
use crate::{Error, Result};

/// A manifest in which layers are what they became.
#[derive(Debug)]
pub(crate) struct Rewritten {
    before: Digest,
    manifest: Descriptor,
    layers: Vec<Digest>,
}

/// Where layers were compressed, the manifest is another one: it takes the old one's place in the plan, and is stored.
pub(crate) fn rewrite(
    inner: &Inner,
    plan: &mut Plan,
    sent: &HashMap<Digest, Descriptor>,
    lease: &mut Lease,
) -> Result<Option<Rewritten>> {
    // Only of a single image can there be layers without blobs.
    let [(descriptor, bytes)] = &mut plan.documents[..] else { return Ok(None) };
    let document = Document::parse(bytes, &descriptor.media_type).map_err(|e| Error::BadImage(e.to_string()))?;
    let Document::Manifest(mut manifest) = document else { return Ok(None) };
    let mut changed = false;
    for layer in &mut manifest.layers {
        if let Some(now) = sent.get(&layer.digest).filter(|now| now.digest != layer.digest) {
            *layer = now.clone();
            changed = true;
        }
    }
    if !changed {
        return Ok(None);
    }
    let written = serde_json::to_vec(&manifest);
    *bytes = written.map_err(|e| Error::Content(format!("writing an image's description: {e}")))?;
    let before = descriptor.digest.clone();
    *descriptor = Descriptor::of(&descriptor.media_type, bytes);
    if !inner.keep_blobs {
        // What it names is not here, and the image's own manifest does for the next push.
        return Ok(None);
    }
    lease.blob(&descriptor.digest);
    inner.content.put(&descriptor.digest, bytes)?;
    let layers = manifest.layers.into_iter().map(|layer| layer.digest).collect();
    Ok(Some(Rewritten { before, manifest: descriptor.clone(), layers }))
}

/// Says in one transaction what the image is called there, and by which manifest it is known now.
pub(crate) async fn record(
    inner: &Arc<Inner>,
    reference: &Reference,
    image: &ImageId,
    digest: &Digest,
    rewritten: Option<Rewritten>,
) -> Result<()> {
    let (image, key) = (image.clone(), name_key(&reference.with_digest(digest.clone())));
    let digest = Some(digest.clone());
    let write = inner.state.write_async(Durability::Synced, move |tx| {
        let Some(mut record) = tx.get::<ImageRecord>(image.as_str())? else { return Ok(()) };
        if let Some(rewritten) = rewritten.filter(|rewritten| rewritten.before == record.manifest.digest) {
            record.manifest = rewritten.manifest;
            record.blobs = rewritten.layers;
            tx.put(image.as_str(), &record)?;
        }
        tx.put(&key, &NameRecord { image, digest })
    });
    write.await?;
    inner.write_index();
    Ok(())
}
