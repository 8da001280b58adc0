//! One layer in one pass: network → digest and blob file → decompression → digest of the archive → directory.
//!
//! The network is read by a task, the blob is hashed and written by one blocking thread, and unpacked by another;
//! between them are short queues, so that the slowest sets the pace and memory stays small.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use berth_archive::{Limits, Unpacked, unpack};
use berth_content::{Ingest, Verified};
use berth_distribution::Piece;
use berth_oci::{ChainId, Descriptor, DiffId, Hasher};
use berth_state::Durability;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::decompress::{Bounded, bound, decompress};
use super::source::Source;
use super::transfer::Reporter;
use crate::layers::Incoming;
use crate::record::LayerRecord;
use crate::store::{Inner, now};
use crate::{Error, LayerPhase, Result};

/// Pieces between two stages. One has what the network gave at once: 16 to 400 KiB.
const QUEUE: usize = 8;

/// What is to become a layer.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) blob: Descriptor,
    pub(crate) diff_id: DiffId,
    pub(crate) chain: ChainId,
    pub(crate) parent: Option<ChainId>,
}

/// Brings one layer here, durably, and records it.
pub(crate) async fn bring(
    inner: Arc<Inner>,
    source: Arc<dyn Source>,
    wanted: Wanted,
    reporter: Reporter,
) -> Result<()> {
    let here = inner.content.contains(&wanted.blob.digest);
    let (network, pieces) = mpsc::channel::<Bytes>(QUEUE);
    let (to_unpacker, from_writer) = sync_channel::<Bytes>(QUEUE);
    let unpacker = {
        let (inner, wanted, reporter) = (inner.clone(), wanted.clone(), reporter.clone());
        tokio::task::spawn_blocking(move || unpack_layer(&inner, &wanted, from_writer, &reporter))
    };
    let writer = {
        let (inner, blob) = (inner.clone(), wanted.blob.clone());
        tokio::task::spawn_blocking(move || match here {
            true => read_blob(&inner, &blob, &to_unpacker).map(|()| None),
            false => write_blob(&inner, &blob, pieces, &to_unpacker).map(Some),
        })
    };
    // The network first: when it fails, the stages behind it find their input cut off, and say something else.
    let received = if here { Ok(()) } else { receive(&*source, &wanted.blob, network, &reporter).await };
    let written = joined(writer.await)?;
    if written.is_ok() && received.is_ok() {
        reporter.phase(LayerPhase::DownloadComplete);
    }
    let unpacked = joined(unpacker.await)?;
    received?;
    let blob = written?;
    let (incoming, unpacked) = unpacked?;
    let keep = inner.clone();
    let publish = move || publish(&keep, &wanted, blob, incoming, unpacked);
    joined(tokio::task::spawn_blocking(publish).await)??;
    reporter.phase(LayerPhase::PullComplete);
    Ok(())
}

fn joined<T>(result: std::result::Result<T, tokio::task::JoinError>) -> Result<T> {
    result.map_err(|e| Error::Content(format!("a stage of the pull died: {e}")))
}

async fn receive(
    source: &dyn Source,
    descriptor: &Descriptor,
    network: mpsc::Sender<Bytes>,
    reporter: &Reporter,
) -> Result<()> {
    let mut blob = source.blob(descriptor).await?;
    let mut current = 0;
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

/// Hashes and writes what comes, and hands it on for as long as anybody takes it: a blob that does not unpack must
/// still be known for a wrong one or a right one.
fn write_blob(
    inner: &Inner,
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
    let mut ingest: Ingest = inner.content.ingest(&blob.digest, Some(blob.size))?;
    let mut wanted = true;
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

fn unpack_layer(
    inner: &Inner,
    wanted: &Wanted,
    pieces: Receiver<Bytes>,
    reporter: &Reporter,
) -> Result<(Incoming, Unpacked)> {
    let bad = |reason: String| Error::BadLayer { blob: wanted.blob.digest.clone(), reason };
    let incoming = inner.layers.incoming()?;
    let mut queue = Queue { pieces, current: Bytes::new(), taken: 0, total: wanted.blob.size, reporter };
    let mut hasher = Hasher::new(wanted.diff_id.digest().algorithm());
    let unpacked = {
        let compressed = BufReader::with_capacity(64 * 1024, &mut queue);
        let plain = decompress(compressed).map_err(|e| bad(e.to_string()))?;
        let bounded = Bounded::new(plain, bound(wanted.blob.size));
        let hashed = Hashed { input: bounded, hasher: &mut hasher };
        let archive = BufReader::with_capacity(128 * 1024, hashed);
        unpack(archive, &incoming.diff(), Limits::default()).map_err(|e| bad(e.to_string()))?
    };
    let actual = hasher.finish();
    if actual != *wanted.diff_id.digest() {
        let (blob, expected) = (wanted.blob.digest.clone(), wanted.diff_id.digest().clone());
        return Err(Error::DiffId { blob, expected, actual });
    }
    Ok((incoming, unpacked))
}

/// Bytes first, then names, then the record.
fn publish(
    inner: &Inner,
    wanted: &Wanted,
    blob: Option<Verified>,
    incoming: Incoming,
    unpacked: Unpacked,
) -> Result<()> {
    inner.layers.sync()?;
    if let Some(blob) = blob {
        blob.publish_synced()?.sync_names()?;
    }
    // A pull that was given up may have got here before us.
    if inner.state.read(|reader| reader.exists::<LayerRecord>(wanted.chain.as_str()))? {
        return Ok(());
    }
    incoming.publish(&wanted.chain)?;
    let record = LayerRecord {
        diff_id: wanted.diff_id.clone(),
        parent: wanted.parent.clone(),
        blob: wanted.blob.clone(),
        size: unpacked.size,
        created_at: now(),
    };
    let chain = wanted.chain.clone();
    // The image's own record is synced, and takes this one along.
    inner.state.write(Durability::Relaxed, move |tx| tx.put(chain.as_str(), &record))?;
    Ok(())
}

/// What the writer hands on, as a reader.
struct Queue<'a> {
    pieces: Receiver<Bytes>,
    current: Bytes,
    taken: u64,
    total: u64,
    reporter: &'a Reporter,
}

impl Read for Queue<'_> {
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

/// Hashes what is read through it.
struct Hashed<'a, R> {
    input: R,
    hasher: &'a mut Hasher,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        Ok(got)
    }
}
