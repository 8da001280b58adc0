//! A pull: from a name to an image that is here.
//!
//! Manifest (chosen by platform where there is a list) → configuration → layers, all at once → one record. Until that
//! record is written, nothing has a name; what is here by then is kept for the next try.

pub(crate) mod choose;
pub(crate) mod decompress;
mod dry_run;
mod embedded;
mod fetch;
mod layer;
mod lookup;
mod names;
mod source;
mod transfer;
mod xz;

use std::sync::Arc;

use berth_distribution::{Credentials, Piece};
use berth_oci::{ChainId, Descriptor, Digest, ImageConfig, ImageId, Manifest, Platform, Reference, media};
use berth_state::Durability;
use futures_util::future::try_join_all;

use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::resolve::name_key;
use crate::store::{Inner, now};
use crate::{Error, PullEvent, Pulled, Result};
use choose::Chosen;
use layer::Wanted;
use names::Names;
use source::{Registry, Source};
use transfer::{Found, Transfer};

pub use dry_run::{PlannedLayer, PullPlan};
pub(crate) use fetch::fetch;
pub use lookup::Remote;
pub(crate) use transfer::Transfers;

type Progress<'a> = &'a (dyn Fn(PullEvent) + Send + Sync);

/// A configuration is a few kilobytes; a manifest has one line a layer.
const MAX_CONFIG: u64 = 16 << 20;
/// What the kernel's overlay takes at most.
pub(crate) const MAX_LAYERS: usize = 500;

pub(crate) async fn pull(
    inner: &Arc<Inner>,
    reference: &Reference,
    platform: Option<Platform>,
    credentials: Option<Credentials>,
    progress: Progress<'_>,
) -> Result<Pulled> {
    let source = source(inner, reference, credentials)?;
    let pulled = match unchanged(inner, &*source, reference, platform.as_ref()).await? {
        Some(pulled) => {
            started(reference, progress);
            pulled
        }
        None => bring(inner, &source, reference, platform, progress).await?,
    };
    progress(PullEvent::Digest(pulled.digest.clone()));
    progress(PullEvent::Finished { reference: reference.familiar(), fresh: pulled.fresh });
    Ok(pulled)
}

/// Told when the source has answered: a name that is not there is an error and nothing else.
fn started(reference: &Reference, progress: Progress<'_>) {
    progress(PullEvent::Started { object: reference.object().to_owned(), repository: reference.path().to_owned() });
}

pub(crate) async fn remote_tags(
    inner: &Arc<Inner>,
    reference: &Reference,
    credentials: Option<Credentials>,
) -> Result<Vec<String>> {
    Registry::new(inner.registries().repository(reference, credentials), reference).tags().await
}

pub(crate) fn source(
    inner: &Inner,
    reference: &Reference,
    credentials: Option<Credentials>,
) -> Result<Arc<dyn Source>> {
    let by_tag = |(name, _): &&(Reference, &'static [u8])| name == reference;
    if let Some((_, archive)) = inner.embedded.iter().find(by_tag) {
        return Ok(Arc::new(embedded::Embedded::open(archive)?));
    }
    Ok(Arc::new(Registry::new(inner.registries().repository(reference, credentials), reference)))
}

/// Asks only what the name stands for, if an image of that name is here: mostly it has not changed.
async fn unchanged(
    inner: &Inner,
    source: &dyn Source,
    reference: &Reference,
    platform: Option<&Platform>,
) -> Result<Option<Pulled>> {
    let Some(name) = inner.state.read(|r| r.get::<NameRecord>(&name_key(reference)))? else { return Ok(None) };
    let digest = match reference.digest() {
        Some(digest) => Some(digest.clone()),
        None => source.digest(reference.object()).await?,
    };
    let Some(digest) = digest else { return Ok(None) };
    let by_digest = name_key(&reference.with_digest(digest.clone()));
    let (same, image) = inner
        .state
        .read(|r| Ok::<_, Error>((r.get::<NameRecord>(&by_digest)?, r.get::<ImageRecord>(name.image.as_str())?)))?;
    let same = match &name.digest {
        Some(known) => *known == digest,
        None => same.is_some_and(|same| same.image == name.image),
    };
    // Without a wish it is the host's platform that is wanted, also where the name stands for another's image by now.
    let wanted = platform.cloned().unwrap_or_else(Platform::host);
    let suits = match image {
        // What a damaged disk has lost is brought again.
        Some(image) => {
            wanted.suits(&image.config.platform()).is_some() && image.has_form(&digest) && inner.is_whole(&image)?
        }
        None => false,
    };
    Ok((same && suits).then_some(Pulled { id: name.image, digest, fresh: false }))
}

async fn bring(
    inner: &Arc<Inner>,
    source: &Arc<dyn Source>,
    reference: &Reference,
    platform: Option<Platform>,
    progress: Progress<'_>,
) -> Result<Pulled> {
    let chosen = choose::choose(&**source, reference, platform.as_ref()).await?;
    started(reference, progress);
    let manifest = &chosen.manifest;
    check_manifest(manifest)?;
    let id = ImageId(manifest.config.digest.clone());
    let blobs = chosen.blobs();
    let documents = blobs.iter().map(|(digest, _)| digest).chain([&manifest.config.digest]);
    let mut lease = inner.lease(Vec::new(), documents.cloned().collect());
    lease.former(&id)?;
    let here = inner.state.read(|r| r.get::<ImageRecord>(id.as_str()))?;
    let (config, config_bytes) = match here {
        Some(record) if inner.content.contains(id.digest()) => (record.config, None),
        _ => {
            let bytes = small_blob(&**source, &manifest.config).await?;
            let config = ImageConfig::parse(&bytes);
            let config = config.map_err(|e| Error::BadImage(format!("the image configuration does not parse: {e}")))?;
            (config, Some(bytes))
        }
    };
    choose::check_platform(&config, reference, platform.as_ref(), chosen.index.is_some())?;
    let wanted = stack(manifest, &config)?;
    let chains: Vec<ChainId> = wanted.iter().map(|w| w.chain.clone()).collect();
    let layers = inner.lease(chains.clone(), wanted.iter().map(|w| w.blob.digest.clone()).collect());
    let is_new = config_bytes.is_some();
    bring_layers(inner, source, wanted, progress, is_new).await?;
    let mut small = blobs;
    small.extend(config_bytes.map(|bytes| (id.digest().clone(), bytes)));
    // Whoever gives up now gives up too late: a record that is being written must find what it names, so that the
    // leases end after it.
    let (inner, reference) = (inner.clone(), reference.clone());
    let recording = tokio::spawn(async move {
        let recorded = record(&inner, &reference, chosen, id, config, chains, small).await;
        drop((lease, layers));
        recorded
    });
    recording.await.map_err(|e| Error::Content(format!("recording the image: {e}")))?
}

pub(crate) fn check_manifest(manifest: &Manifest) -> Result<()> {
    if !media::is_image_config(&manifest.config.media_type) {
        let kind = manifest.artifact_type.as_deref().unwrap_or(&manifest.config.media_type);
        return Err(Error::BadImage(format!("this is no image but an artifact of type {kind}")));
    }
    if let Some(layer) = manifest.layers.iter().find(|l| media::is_foreign_layer(&l.media_type)) {
        return Err(Error::BadImage(format!(
            "layer {} is not to be had from the registry (foreign layers are not supported)",
            layer.digest.short()
        )));
    }
    if let Some(layer) = manifest.layers.iter().find(|l| !media::is_layer(&l.media_type)) {
        let (digest, kind) = (layer.digest.short(), &layer.media_type);
        return Err(Error::BadImage(format!("layer {digest} has the unsupported type {kind:?}")));
    }
    if manifest.layers.len() > MAX_LAYERS {
        let count = manifest.layers.len();
        return Err(Error::BadImage(format!(
            "the image has {count} layers; {MAX_LAYERS} is the most that can be mounted"
        )));
    }
    Ok(())
}

fn stack(manifest: &Manifest, config: &ImageConfig) -> Result<Vec<Wanted>> {
    let diffs = &config.rootfs.diff_ids;
    if diffs.len() != manifest.layers.len() {
        return Err(Error::BadImage(format!(
            "the manifest has {} layers, but the image configuration {}",
            manifest.layers.len(),
            diffs.len()
        )));
    }
    let mut parent: Option<ChainId> = None;
    let mut stack = Vec::with_capacity(diffs.len());
    for (blob, diff_id) in manifest.layers.iter().zip(diffs) {
        let chain = ChainId::extend(parent.as_ref(), diff_id);
        let wanted = Wanted { blob: blob.clone(), diff_id: diff_id.clone(), chain: chain.clone(), parent };
        stack.push(wanted);
        parent = Some(chain);
    }
    Ok(stack)
}

/// Brings all layers at once; the first failure ends the pull and with it the transfers that nobody else wants.
async fn bring_layers(
    inner: &Arc<Inner>,
    source: &Arc<dyn Source>,
    wanted: Vec<Wanted>,
    progress: Progress<'_>,
    tell_existing: bool,
) -> Result<()> {
    let mut coming: Vec<Arc<Transfer>> = Vec::new();
    let mut told: Vec<(Digest, Arc<Transfer>)> = Vec::new();
    let mut sizes = Vec::new();
    for wanted in wanted {
        let (layer, size) = (wanted.blob.digest.clone(), wanted.blob.size);
        match inner.transfers.find(inner, source, wanted)? {
            Found::Here if tell_existing => {
                progress(PullEvent::Layer { layer, phase: crate::LayerPhase::AlreadyExists });
            }
            Found::Here => {}
            Found::Coming(transfer) => {
                coming.push(transfer.clone());
                sizes.push((layer.clone(), size));
                told.push((layer, transfer));
            }
        }
    }
    progress(PullEvent::Sizes(sizes));
    try_join_all(told.iter().map(|(layer, transfer)| follow(layer, transfer, progress))).await?;
    drop(coming);
    Ok(())
}

async fn follow(layer: &Digest, transfer: &Transfer, progress: Progress<'_>) -> Result<()> {
    let mut phases = transfer.phases();
    let tell = |phase| progress(PullEvent::Layer { layer: layer.clone(), phase });
    let finished = transfer.finished();
    tokio::pin!(finished);
    let result = loop {
        tokio::select! {
            biased;
            Some(phase) = phases.recv() => tell(phase),
            result = &mut finished => break result,
        }
    };
    while let Ok(phase) = phases.try_recv() {
        tell(phase);
    }
    result
}

/// A configuration or manifest, whole and checked.
async fn small_blob(source: &dyn Source, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let wrong = |message| Error::Verification { what: "image configuration", message };
    if descriptor.size > MAX_CONFIG {
        return Err(wrong(format!("{} bytes are too many", descriptor.size)));
    }
    let mut blob = source.blob(descriptor, 0).await?;
    let mut bytes = Vec::with_capacity(descriptor.size as usize);
    while let Some(piece) = blob.next().await? {
        if let Piece::Bytes(piece) = piece {
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() as u64 > descriptor.size {
            return Err(wrong(format!("more than the promised {} bytes came", descriptor.size)));
        }
    }
    if bytes.len() as u64 != descriptor.size || !descriptor.digest.matches(&bytes) {
        return Err(wrong(format!("expected {}, got {}", descriptor.digest, Digest::of(&bytes))));
    }
    Ok(bytes)
}

/// Stores the small blobs, then says in one transaction that the image is here and what it is called.
async fn record(
    inner: &Arc<Inner>,
    reference: &Reference,
    chosen: Chosen,
    id: ImageId,
    config: ImageConfig,
    chains: Vec<ChainId>,
    blobs: Vec<(Digest, Vec<u8>)>,
) -> Result<Pulled> {
    let (content, store) = (inner.content.clone(), inner.content.clone());
    let stored = tokio::task::spawn_blocking(move || blobs.iter().try_for_each(|(d, bytes)| content.put(d, bytes)));
    stored.await.map_err(|e| Error::Content(format!("storing the manifest: {e}")))??;
    let digest = chosen.root_digest().clone();
    let names = Names::new(reference, &digest, &chosen.descriptor.digest);
    let blobs = chosen.manifest.layers.iter().map(|l| l.digest.clone()).collect();
    let config_blob = chosen.manifest.config.digest.clone();
    let (manifest, index) = (chosen.descriptor, chosen.index.map(|(descriptor, _)| descriptor));
    let (image, origin) = (id.clone(), reference.name());
    let fresh = inner
        .state
        .try_write_async(Durability::Synced, move |tx| {
            let mut size = 0;
            for chain in &chains {
                size += tx.get::<LayerRecord>(chain.as_str())?.map_or(0, |layer| layer.size);
            }
            let tagged_at = now();
            let layers = chains.clone();
            let mut record = ImageRecord {
                config,
                manifest,
                config_blob,
                index,
                blobs,
                layers,
                size,
                tagged_at,
                origin: Some(origin),
                others: Vec::new(),
            };
            if let Some(former) = tx.get::<ImageRecord>(image.as_str())? {
                record.absorb(former);
                record.others.retain(|form| form.documents().all(|digest| store.contains(digest)));
            }
            let fresh = names.put(tx, &image)?;
            // The lease of the pull has them, and lets them go.
            record.forget_unnamed(tx, &image)?;
            tx.put(image.as_str(), &record)?;
            Ok::<_, Error>(fresh)
        })
        .await?;
    inner.write_index();
    Ok(Pulled { id, digest, fresh })
}
