//! One layer in one pass: network → digest and blob file → decompression → digest of the archive → layer.
//!
//! The network is read by a task, the blob is hashed and written by one blocking thread, decompressed by a second, and
//! hashed and written again by a third; between them are short queues, so that the slowest sets the pace and memory
//! stays small.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use berth_content::{Ingest, Verified};
use berth_distribution::Piece;
use berth_oci::{ChainId, Descriptor, DiffId, Hasher};
use berth_state::Durability;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::decompress::{Bounded, Form, bound, told};
use super::source::Source;
use super::transfer::Reporter;
use crate::layers::digesting::{Archive, Digesting};
use crate::layers::incoming::Arrived;
use crate::lease::Lease;
use crate::record::LayerRecord;
use crate::store::Inner;
use crate::{Error, LayerPhase, Result};

/// Pieces between two stages. One has what the network gave at once: 16 to 400 KiB.
pub(super) const QUEUE: usize = 8;

/// What is to become a layer.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) blob: Descriptor,
    pub(crate) diff_id: DiffId,
    pub(crate) chain: ChainId,
    pub(crate) parent: Option<ChainId>,
}

/// Brings one layer here, durably, and records it. What an earlier try has left of its blob is not fetched again;
/// if that turns out to be wrong, everything is. The `slot` is somebody else's as soon as only the disk has work left.
pub(crate) async fn bring(
    inner: Arc<Inner>,
    source: Arc<dyn Source>,
    wanted: Wanted,
    reporter: Reporter,
    mut slot: Option<OwnedSemaphorePermit>,
) -> Result<()> {
    // Nobody waits for a publication that has begun, but it goes on: it must not meet with a deletion.
    let lease = Arc::new(inner.lease(vec![wanted.chain.clone()], vec![wanted.blob.digest.clone()]));
    let begun = begin(&inner, &wanted.blob, false).await?;
    let resumed = begun.as_ref().is_some_and(|ingest| ingest.unread() > 0);
    let brought = bring_from(&inner, &*source, &wanted, begun, (&lease, &mut slot), &reporter).await;
    if !resumed || !matches!(brought, Err(Error::LayerVerification(_))) {
        return brought;
    }
    tracing::debug!(blob = %wanted.blob.digest, "what an earlier try left was wrong");
    let begun = begin(&inner, &wanted.blob, true).await?;
    bring_from(&inner, &*source, &wanted, begun, (&lease, &mut slot), &reporter).await
}

/// The blob's file, with what an earlier try has left in it unless it is to be `fresh`; none where the blob is here.
pub(super) async fn begin(inner: &Arc<Inner>, blob: &Descriptor, fresh: bool) -> Result<Option<Ingest>> {
    let (content, blob) = (inner.content.clone(), blob.clone());
    let begin = move || -> Result<Option<Ingest>> {
        if content.contains(&blob.digest) {
            return Ok(None);
        }
        let mut ingest = content.resume(&blob.digest, blob.size)?;
        if fresh && ingest.unread() > 0 {
            ingest.give_up();
            ingest = content.resume(&blob.digest, blob.size)?;
        }
        // Whoever was at it before us may have finished it.
        if content.contains(&blob.digest) {
            ingest.give_up();
            return Ok(None);
        }
        Ok(Some(ingest))
    };
    joined(tokio::task::spawn_blocking(begin).await)?
}

async fn bring_from(
    inner: &Arc<Inner>,
    source: &dyn Source,
    wanted: &Wanted,
    begun: Option<Ingest>,
    (lease, slot): (&Arc<Lease>, &mut Option<OwnedSemaphorePermit>),
    reporter: &Reporter,
) -> Result<()> {
    let from = begun.as_ref().map(Ingest::unread);
    let (network, pieces) = mpsc::channel::<Bytes>(QUEUE);
    let (to_unpacker, from_writer) = sync_channel::<Bytes>(QUEUE);
    let unpacker = {
        let (inner, wanted, reporter) = (inner.clone(), wanted.clone(), reporter.clone());
        tokio::task::spawn_blocking(move || unpack_layer(&inner, &wanted, from_writer, &reporter))
    };
    let writer = {
        let (inner, blob) = (inner.clone(), wanted.blob.clone());
        tokio::task::spawn_blocking(move || match begun {
            None => read_blob(&inner, &blob, &to_unpacker).map(|()| None),
            Some(ingest) => write_blob(ingest, &blob, pieces, &to_unpacker).map(Some),
        })
    };
    // The network first: when it fails, the stages behind it find their input cut off, and say something else.
    let received = match from {
        Some(from) if from < wanted.blob.size => receive(source, &wanted.blob, from, network, reporter).await,
        _ => {
            // The writer ends when nothing more can come.
            drop(network);
            Ok(())
        }
    };
    let written = joined(writer.await)?;
    if written.is_ok() && received.is_ok() {
        reporter.phase(LayerPhase::DownloadComplete);
    }
    let unpacked = joined(unpacker.await)?;
    received?;
    let blob = written?;
    let arrived = match unpacked {
        Ok(arrived) => arrived,
        Err(error) => {
            // The right bytes, but no layer, or no room for it: nothing to go on with.
            if let Some(blob) = blob {
                blob.give_up();
            }
            return Err(error);
        }
    };
    inner.layers.known().learn(&wanted.blob.digest, arrived.whole());
    drop(slot.take());
    let (keep, wanted, lease) = (inner.clone(), wanted.clone(), lease.clone());
    let publish = move || {
        let published = publish(&keep, &wanted, blob, arrived);
        drop(lease);
        published
    };
    joined(tokio::task::spawn_blocking(publish).await)??;
    reporter.phase(LayerPhase::PullComplete);
    Ok(())
}

pub(super) fn joined<T>(result: std::result::Result<T, tokio::task::JoinError>) -> Result<T> {
    result.map_err(|e| Error::Content(format!("a stage of the pull died: {e}")))
}

pub(super) async fn receive(
    source: &dyn Source,
    descriptor: &Descriptor,
    from: u64,
    network: mpsc::Sender<Bytes>,
    reporter: &Reporter,
) -> Result<()> {
    let mut blob = source.blob(descriptor, from).await?;
    let mut current = from;
    while let Some(piece) = blob.next().await? {
        match piece {
            Piece::Pause(pause) => reporter.phase(LayerPhase::Retrying { seconds: pause.as_secs().max(1) }),
            Piece::Bytes(bytes) => {
                current += bytes.len() as u64;
                reporter.progress(LayerPhase::Downloading { current, total: descriptor.size });
                if network.send(bytes).await.is_err() {
                    // The writer has failed, and says why itself.
                    return Ok(());
                }
            }
        }
    }
    reporter.phase(LayerPhase::VerifyingChecksum);
    Ok(())
}

/// Hashes what an earlier try has left, hashes and writes what comes, and hands it all on for as long as anybody takes
/// it: a blob that does not unpack must still be known for a wrong one or a right one.
pub(super) fn write_blob(
    mut ingest: Ingest,
    blob: &Descriptor,
    mut pieces: mpsc::Receiver<Bytes>,
    next: &SyncSender<Bytes>,
) -> Result<Verified> {
    let wrong = |error: berth_content::Error| match error {
        berth_content::Error::Digest { .. } | berth_content::Error::Length { .. } => {
            Error::LayerVerification(blob.digest.clone())
        }
        other => other.into(),
    };
    let mut wanted = true;
    while ingest.unread() > 0 {
        let mut buffer = vec![0; 64 * 1024];
        let got = ingest.replay(&mut buffer)?;
        buffer.truncate(got);
        wanted = wanted && next.send(buffer.into()).is_ok();
    }
    while let Some(bytes) = pieces.blocking_recv() {
        ingest.write(&bytes).map_err(wrong)?;
        wanted = wanted && next.send(bytes).is_ok();
    }
    ingest.verify().map_err(wrong)
}

/// The blob is here already (another image has it in another place): it is only unpacked.
fn read_blob(inner: &Inner, blob: &Descriptor, next: &SyncSender<Bytes>) -> Result<()> {
    let mut file = inner.content.open_blob(&blob.digest)?;
    let mut hasher = Hasher::new(blob.digest.algorithm());
    loop {
        let mut buffer = vec![0; 64 * 1024];
        let got = file.read(&mut buffer).map_err(Error::file("reading", &inner.content.path(&blob.digest)))?;
        if got == 0 {
            break;
        }
        buffer.truncate(got);
        hasher.update(&buffer);
        if next.send(buffer.into()).is_err() {
            return Ok(());
        }
    }
    if hasher.finish() == blob.digest { Ok(()) } else { Err(Error::LayerVerification(blob.digest.clone())) }
}

fn unpack_layer(inner: &Inner, wanted: &Wanted, pieces: Receiver<Bytes>, reporter: &Reporter) -> Result<Arrived> {
    let bad = |reason: String| Error::BadLayer { blob: wanted.blob.digest.clone(), reason };
    let incoming = inner.layers.incoming()?;
    let queue = Queue { pieces, current: Bytes::new(), taken: 0, total: wanted.blob.size, reporter: reporter.clone() };
    let compressed = BufReader::with_capacity(64 * 1024, queue);
    let (form, compressed) = told(compressed).map_err(|e| bad(e.to_string()))?;
    let plain = form.unpack(compressed).map_err(|e| bad(e.to_string()))?;
    let most = bound(wanted.blob.size);
    let bounded = Bounded::new(plain, move || most);
    let arrived = incoming.receive(bounded, digesting(inner, wanted, form)).map_err(|e| bad(e.to_string()))?;
    if arrived.diff_id != wanted.diff_id {
        let (expected, actual) = (wanted.diff_id.digest().clone(), arrived.diff_id.digest().clone());
        return Err(Error::DiffId { blob: wanted.blob.digest.clone(), expected, actual });
    }
    Ok(arrived)
}

/// The writer holds the blob's digest against the blob: where that says what the archive is, it is not taken again.
fn digesting(inner: &Inner, wanted: &Wanted, form: Form) -> Digesting {
    let (blob, diff_id) = (&wanted.blob, &wanted.diff_id);
    if form == Form::Plain && blob.digest == *diff_id.digest() {
        return Digesting::Known(Archive { diff_id: diff_id.clone(), length: blob.size, crc: None });
    }
    inner.layers.known().digesting(&blob.digest, diff_id.digest().algorithm())
}

/// Bytes first, then names, then the record.
fn publish(inner: &Inner, wanted: &Wanted, blob: Option<Verified>, arrived: Arrived) -> Result<()> {
    let all = arrived.sync(&wanted.chain)?;
    let kept = match blob {
        None => true,
        // Of one that is not compressed nothing would be saved, and not every directory gives it again; an image does.
        Some(blob)
            if inner.keep_blobs
                || (!inner.layers.keeps_archive() && wanted.blob.digest == *wanted.diff_id.digest()) =>
        {
            let done = if all { blob.publish_synced().and_then(|store| store.sync_names()) } else { blob.publish() };
            done.map(|()| true)?
        }
        Some(blob) => {
            blob.give_up();
            false
        }
    };
    // A pull that was given up may have got here before us, or only the blob was wanting.
    if inner.layers.exists(&wanted.chain)
        && inner.state.read(|reader| reader.exists::<LayerRecord>(wanted.chain.as_str()))?
    {
        return Ok(());
    }
    let record = arrived.record(wanted.parent.as_ref(), wanted.blob.clone(), kept);
    arrived.publish(&wanted.chain)?;
    let chain = wanted.chain.clone();
    // The image's own record is synced, and takes this one along.
    inner.state.write(Durability::Relaxed, move |tx| tx.put(chain.as_str(), &record))?;
    Ok(())
}

/// What the writer hands on, as a reader.
struct Queue {
    pieces: Receiver<Bytes>,
    current: Bytes,
    taken: u64,
    total: u64,
    reporter: Reporter,
}

impl Read for Queue {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.recv() {
                Ok(piece) => self.current = piece,
                Err(_) => return Ok(0),
            }
        }
        let got = self.current.len().min(buffer.len());
        buffer[..got].copy_from_slice(&self.current.split_to(got));
        self.taken += got as u64;
        self.reporter.extracted(self.taken, self.total);
        Ok(got)
    }
}
