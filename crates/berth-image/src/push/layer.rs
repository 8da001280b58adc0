//! One layer on its way out: there already, had from a neighbour, or sent; compressed first where it never was.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_content::Verified;
use berth_distribution::{Content, Mount, Sending};
use berth_oci::{ChainId, Descriptor, Digest, media};
use berth_state::Durability;
use tokio::sync::mpsc::UnboundedSender;

use super::compress::gzip;
use super::plan::Layer;
use super::{PushEvent, PushPhase, Target};
use crate::open::gives_archive;
use crate::record::{ImageRecord, LayerRecord};
use crate::store::Inner;
use crate::{Error, Result};

/// Repositories that are asked for a blob before it is sent.
const MAX_NEIGHBOURS: usize = 3;

/// Progress is told no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Tells how a layer gets on, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    pub(crate) layer: Digest,
    pub(crate) events: UnboundedSender<PushEvent>,
}

impl Teller {
    pub(crate) fn tell(&self, phase: PushPhase) {
        // The push may be over, and then nobody wants to know.
        let _ = self.events.send(PushEvent::Layer { layer: self.layer.clone(), phase });
    }
}

/// Brings one layer there; tells as what. The one who pushes holds a lease on the image.
pub(crate) async fn push(target: &Target, image: &ImageRecord, layer: &Layer, teller: &Teller) -> Result<Descriptor> {
    let inner = &target.inner;
    let slots = inner.uploads.slots();
    if slots.available_permits() == 0 {
        teller.tell(PushPhase::Waiting);
    }
    let _slot = slots.acquire().await;
    let Some(blob) = known(inner, layer)? else { return first_time(target, layer, teller).await };
    if there(target, &blob, teller).await? {
        return Ok(blob);
    }
    if let Some(chain) = layer.chain.as_ref().filter(|_| !inner.content.contains(&blob.digest)) {
        let recalled = inner.recall_blob(image, chain, &blob, target.credentials_for(image)).await;
        // The manifest of an image that was made here can name what is made of the layer now.
        if matches!(recalled, Err(Error::BlobAway { .. })) && image.origin.is_none() && can_be_packed(inner, chain)? {
            let blob = Descriptor { digest: layer.shown.clone(), ..blob };
            return first_time(target, &Layer { blob, ..layer.clone() }, teller).await;
        }
        recalled?;
    }
    let file = inner.content.open_blob(&blob.digest)?;
    send(target, &blob, file, teller).await?;
    teller.tell(PushPhase::Pushed);
    Ok(blob)
}

fn can_be_packed(inner: &Inner, chain: &ChainId) -> Result<bool> {
    Ok(inner.layer(chain)?.is_some_and(|layer| gives_archive(inner, &layer)))
}

/// A layer that was made here and went nowhere yet: it is compressed, and kept so.
async fn first_time(target: &Target, layer: &Layer, teller: &Teller) -> Result<Descriptor> {
    let inner = &target.inner;
    let _turn = inner.uploads.turn(&layer.shown).lock_owned().await;
    // Another push may have done it meanwhile.
    if let Some(blob) = known(inner, layer)? {
        if !there(target, &blob, teller).await? {
            send(target, &blob, inner.content.open_blob(&blob.digest)?, teller).await?;
            teller.tell(PushPhase::Pushed);
        }
        return Ok(blob);
    }
    let (blob, made) = compressed(inner, layer, teller).await?;
    let file = made.open()?;
    let keep = {
        let lease = inner.lease(Vec::new(), vec![blob.digest.clone()]);
        let (inner, layer, blob) = (inner.clone(), layer.clone(), blob.clone());
        tokio::task::spawn_blocking(move || keep(&inner, &layer, &blob, made).map(|()| lease))
    };
    // It goes to the disk for good while it goes out.
    let bring = async {
        if !there(target, &blob, teller).await? {
            send(target, &blob, file, teller).await?;
            teller.tell(PushPhase::Pushed);
        }
        Ok(())
    };
    let keep = async { keep.await.map_err(|e| Error::Content(format!("keeping a compressed layer: {e}")))? };
    let ((), lease) = futures_util::future::try_join(bring, keep).await?;
    target.hold(lease);
    Ok(blob)
}

/// Bytes first, then the name, then the record; nothing where blobs are not kept.
fn keep(inner: &Inner, layer: &Layer, blob: &Descriptor, made: Verified) -> Result<()> {
    let Some(chain) = layer.chain.clone().filter(|_| inner.keep_blobs) else { return Ok(()) };
    made.publish()?;
    let blob = blob.clone();
    // The image's own record is synced, and takes this one along.
    inner.state.write(Durability::Relaxed, move |tx| match tx.get::<LayerRecord>(chain.as_str())? {
        Some(record) => tx.put(chain.as_str(), &LayerRecord { blob, kept: true, ..record }),
        None => Ok(()),
    })?;
    Ok(())
}

/// Compresses the layer's archive and makes sure that it still is that layer.
async fn compressed(inner: &Arc<Inner>, layer: &Layer, teller: &Teller) -> Result<(Descriptor, Verified)> {
    let _slot = inner.uploads.compressing().acquire_owned().await;
    let stop = Stop(Arc::default());
    let (inner, layer, teller, stopped) = (inner.clone(), layer.clone(), teller.clone(), stop.0.clone());
    let work = tokio::task::spawn_blocking(move || compress(&inner, &layer, &teller, &stopped));
    let done = work.await.map_err(|e| Error::Content(format!("compressing a layer: {e}")))?;
    drop(stop);
    done
}

fn compress(inner: &Inner, layer: &Layer, teller: &Teller, stop: &AtomicBool) -> Result<(Descriptor, Verified)> {
    let bad = |reason: String| Error::BadLayer { blob: layer.shown.clone(), reason };
    let archive = crate::open::open_layer(inner, &layer.shown)?;
    let mut draft = inner.content.draft(layer.shown.algorithm())?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut told, total) = (Instant::now(), layer.blob.size);
    let crc = checksum(inner, layer)?;
    // Taking the digest costs half as much as compressing.
    let digest = crc.is_none().then(|| layer.shown.algorithm());
    let raw = gzip(archive, digest, threads, stop, |piece, current| {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            teller.tell(PushPhase::Compressing { current, total });
        }
        draft.write(piece).map_err(|e| io::Error::other(crate::error::chain(&e)))
    });
    let raw = raw.map_err(|e| bad(format!("compressing it: {e}")))?;
    let same = match &raw.digest {
        Some(digest) => *digest == layer.shown,
        None => crc == Some((raw.crc, raw.length)),
    };
    if !same {
        return Err(bad(format!("what is here of it ({} bytes) is something else: it was changed", raw.length)));
    }
    let made = draft.finish();
    let blob = Descriptor {
        digest: made.digest().clone(),
        size: made.size(),
        ..Descriptor::of(packed_type(&layer.blob.media_type), b"")
    };
    Ok((blob, made))
}

/// The checksum and length of a layer's archive, where the layer keeps that and they were taken when it came.
fn checksum(inner: &Inner, layer: &Layer) -> Result<Option<(u32, u64)>> {
    let Some(chain) = &layer.chain else { return Ok(None) };
    Ok(inner.layer(chain)?.and_then(|record| record.crc.zip(record.archive)))
}

/// The layer as it can be sent; `None`: it was never compressed.
fn known(inner: &Inner, layer: &Layer) -> Result<Option<Descriptor>> {
    let Some(chain) = layer.chain.as_ref().filter(|_| layer.blob.digest == layer.shown) else {
        return Ok(Some(layer.blob.clone()));
    };
    if inner.content.contains(&layer.blob.digest) {
        return Ok(Some(layer.blob.clone()));
    }
    let packed =
        inner.layer(chain)?.map(|r| r.blob).filter(|b| b.digest != layer.shown && inner.content.contains(&b.digest));
    Ok(packed.map(|blob| Descriptor { media_type: packed_type(&layer.blob.media_type).to_owned(), ..blob }))
}

/// What a layer of this type is called when it is compressed.
fn packed_type(raw: &str) -> &'static str {
    let docker = raw.starts_with("application/vnd.docker.");
    if docker { media::DOCKER_LAYER_GZIP } else { media::OCI_LAYER_GZIP }
}

/// Whether the repository has it, or gets it from another of its registry.
async fn there(target: &Target, blob: &Descriptor, teller: &Teller) -> Result<bool> {
    let failed = |e| target.translate(e);
    if target.repository.has_blob(&blob.digest).await.map_err(failed)? {
        teller.tell(PushPhase::AlreadyExists);
        return Ok(true);
    }
    for from in target.neighbours(&blob.digest)?.into_iter().take(MAX_NEIGHBOURS) {
        match target.repository.mount(&blob.digest, &from).await {
            Ok(Mount::Mounted) => {
                teller.tell(PushPhase::MountedFrom(from));
                return Ok(true);
            }
            Ok(Mount::Upload(upload)) => upload.cancel().await,
            // It may be somebody else's by now.
            Err(error) => tracing::debug!(from, %error, "not to be had from there"),
        }
    }
    Ok(false)
}

async fn send(target: &Target, blob: &Descriptor, file: File, teller: &Teller) -> Result<()> {
    let total = blob.size;
    let told = teller.clone();
    let tell = Arc::new(move |sending| match sending {
        Sending::Bytes(current) => told.tell(PushPhase::Pushing { current, total }),
        Sending::Pause(pause) => told.tell(PushPhase::Retrying { seconds: pause.as_secs().max(1) }),
    });
    let content = Arc::new(Stored { file: Arc::new(file), size: total });
    let upload = target.repository.begin_upload().await.map_err(|e| target.translate(e))?;
    match upload.send(&blob.digest, content.clone(), tell).await {
        Ok(()) => Ok(()),
        Err(error) => Err(target.refused(&blob.digest, content, error).await),
    }
}

/// A blob on this disk.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) file: Arc<File>,
    pub(crate) size: u64,
}

impl Content for Stored {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Reading { file: self.file.clone(), offset }))
    }
}

/// Reads a file that others read too.
struct Reading {
    file: Arc<File>,
    offset: u64,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(buffer, self.offset)?;
        self.offset += got as u64;
        Ok(got)
    }
}

/// Stops the threads when whoever waits for them no longer does.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
