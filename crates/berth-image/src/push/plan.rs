//! What is to be sent for one name: an image, or a list of them if all of it is here.

use std::sync::Arc;

use berth_oci::{ChainId, Descriptor, Digest, Document, ImageConfig, Index, Manifest, Platform, Reference, media};

use crate::record::ImageRecord;
use crate::store::Inner;
use crate::{Error, Result};

/// Lists of lists exist; deeper is nobody's image.
const MAX_NESTING: usize = 4;

/// What is to be sent, in this order: what a document names goes before it.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) layers: Vec<Layer>,
    /// Configurations.
    pub(crate) small: Vec<Descriptor>,
    /// Manifests and lists; the last is what the name will stand for.
    pub(crate) documents: Vec<(Descriptor, Vec<u8>)>,
    /// The list that would have been sent, had all of it been here.
    pub(crate) instead_of: Option<Descriptor>,
}

/// A layer of an image.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// As the manifest has it.
    pub(crate) blob: Descriptor,
    /// What its archive is; a blob that is no layer has only itself.
    pub(crate) shown: Digest,
    pub(crate) chain: Option<ChainId>,
}

/// What the image's name, or the platform wanted of it, comes to.
pub(crate) fn plan(
    inner: &Arc<Inner>,
    record: &ImageRecord,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Plan> {
    if let Some(platform) = platform {
        return of_platform(inner, record, reference, platform);
    }
    let mut plan = Plan::default();
    match &record.index {
        Some(index) if plan.list(inner, index, MAX_NESTING)? => Ok(plan),
        index => {
            let mut plan = Plan { instead_of: index.clone(), ..Plan::default() };
            plan.image(inner, &record.manifest, true)?;
            Ok(plan)
        }
    }
}

fn of_platform(inner: &Arc<Inner>, record: &ImageRecord, reference: &Reference, platform: &Platform) -> Result<Plan> {
    let found = record.config.platform();
    let mut plan = Plan::default();
    if platform.suits(&found).is_some() {
        plan.image(inner, &record.manifest, true)?;
        return Ok(plan);
    }
    let other = match &record.index {
        Some(index) => of_index(inner, index, platform)?,
        None => None,
    };
    if let Some(manifest) = other
        && plan.image(inner, &manifest, false)?
    {
        return Ok(plan);
    }
    Err(Error::PlatformMismatch {
        reference: reference.familiar(),
        found: found.to_string(),
        wanted: platform.to_string(),
    })
}

/// The entry of a list for a platform.
fn of_index(inner: &Inner, index: &Descriptor, platform: &Platform) -> Result<Option<Descriptor>> {
    let index: Index = match read(inner, index)? {
        Some((Document::Index(index), _)) => index,
        _ => return Ok(None),
    };
    let entries = index.manifests.into_iter().filter(|entry| !entry.is_attestation());
    let suitable = entries.filter_map(|entry| Some((platform.suits(entry.platform.as_ref()?)?, entry)));
    Ok(suitable.min_by_key(|(distance, _)| *distance).map(|(_, entry)| entry))
}

fn read(inner: &Inner, descriptor: &Descriptor) -> Result<Option<(Document, Vec<u8>)>> {
    if !inner.content.contains(&descriptor.digest) {
        return Ok(None);
    }
    let bytes = inner.content.read(&descriptor.digest)?;
    let document = Document::parse(&bytes, &descriptor.media_type).map_err(|e| Error::BadImage(e.to_string()))?;
    Ok(Some((document, bytes)))
}

impl Plan {
    /// Takes a list with all it names; false: something of it is not here.
    fn list(&mut self, inner: &Inner, descriptor: &Descriptor, depth: usize) -> Result<bool> {
        let Some((Document::Index(index), bytes)) = read(inner, descriptor)? else { return Ok(false) };
        for entry in &index.manifests {
            let nested = matches!(media::essence(&entry.media_type), media::OCI_INDEX | media::DOCKER_LIST);
            let whole = match nested {
                true => depth > 0 && self.list(inner, entry, depth - 1)?,
                false => self.image(inner, entry, false)?,
            };
            if !whole {
                return Ok(false);
            }
        }
        self.documents.push((descriptor.clone(), bytes));
        Ok(true)
    }

    /// Takes one image; false: something of it is not here. Of an image that is recorded (`ours`), layers whose blobs
    /// are not kept are found out about later.
    fn image(&mut self, inner: &Inner, descriptor: &Descriptor, ours: bool) -> Result<bool> {
        let manifest = match read(inner, descriptor)? {
            Some((Document::Manifest(manifest), bytes)) => {
                self.documents.push((descriptor.clone(), bytes));
                manifest
            }
            _ if ours => return Err(Error::Content(format!("manifest {} is not in the store", descriptor.digest))),
            _ => return Ok(false),
        };
        let here = |blob: &Descriptor| inner.content.contains(&blob.digest);
        if !ours && !manifest.layers.iter().chain([&manifest.config]).all(here) {
            return Ok(false);
        }
        self.layers.extend(layers(inner, &manifest)?);
        self.small.push(manifest.config);
        Ok(true)
    }
}

fn layers(inner: &Inner, manifest: &Manifest) -> Result<Vec<Layer>> {
    let mut diffs = Vec::new();
    if media::is_image_config(&manifest.config.media_type) {
        let config = ImageConfig::parse(&inner.content.read(&manifest.config.digest)?);
        diffs = config
            .map_err(|e| Error::BadImage(format!("the image configuration does not parse: {e}")))?
            .rootfs
            .diff_ids;
    }
    let chains = ChainId::stack(&diffs);
    let known = diffs.len() == manifest.layers.len();
    let layer = |(at, blob): (usize, &Descriptor)| match known {
        true => Layer { blob: blob.clone(), shown: diffs[at].digest().clone(), chain: Some(chains[at].clone()) },
        false => Layer { blob: blob.clone(), shown: blob.digest.clone(), chain: None },
    };
    Ok(manifest.layers.iter().enumerate().map(layer).collect())
}
