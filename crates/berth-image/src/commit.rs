//! Making an image of a container: its writable layer becomes one more layer on those it stands on.
//!
//! The layer's archive is made once, on its way into the layer's digest and its directory, and not kept: the same
//! archive can be made of the directory at any time ([`crate::ImageStore::open_layer`]), so a commit writes the data
//! once and compresses nothing.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};

use berth_archive::pack::{Found, Packing, Take, pack};
use berth_archive::{Limits, Output, Pieces, Unpacked, Writer, unpack};
use berth_oci::{
    ChainId, Descriptor, DiffId, Digest, Hasher, History, ImageConfig, ImageId, Manifest, Reference, media,
};
use berth_state::Durability;

use crate::layers::Incoming;
use crate::lease::Lease;
use crate::record::{HoldRecord, ImageRecord, LayerRecord, NameRecord, hold_key};
use crate::resolve::name_key;
use crate::store::{Inner, now};
use crate::{Error, Result};

/// Pieces between the archive's maker and the directory's.
const QUEUE: usize = 8;

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

/// A layer that is unpacked and has no name yet.
struct Made {
    incoming: Incoming,
    unpacked: Unpacked,
    digest: Digest,
    length: u64,
}

pub(crate) fn commit(inner: &std::sync::Arc<Inner>, commit: Commit) -> Result<ImageId> {
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
    let id = publish(inner, commit, chains, &records, made, lease)?;
    inner.write_index();
    Ok(id)
}

/// The archive of the writable layer, hashed and unpacked as it is made.
fn make(inner: &Inner, commit: &Commit) -> Result<Made> {
    let incoming = inner.layers.incoming()?;
    let diff = incoming.diff();
    let (sender, pieces) = sync_channel::<Vec<u8>>(QUEUE);
    let failed = |e: io::Error| Error::file("archiving", &commit.upper)(e);
    std::thread::scope(|scope| {
        let unpacker = scope.spawn(|| {
            let archive = BufReader::with_capacity(128 << 10, Received { pieces, current: Vec::new(), taken: 0 });
            unpack(archive, &diff, Limits::default())
        });
        let mut hashed = Hashed { hasher: Hasher::default(), length: 0 };
        let written = File::open(&commit.upper).and_then(|upper| {
            let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
            let mut out = Pieces::new(|piece: Vec<u8>| {
                hashed.take(&piece);
                sender.send(piece).map_err(|_| gone())
            });
            archive(&upper, &commit.hidden, &mut out)?;
            out.finish()
        });
        drop(sender);
        let unpacked = unpacker.join().map_err(|_| Error::Content("unpacking the new layer".into()))?;
        let digest = hashed.hasher.finish();
        let bad = |e: berth_archive::UnpackError| Error::BadLayer { blob: digest.clone(), reason: e.to_string() };
        // Where the unpacker failed, the archive's maker only found nobody to take it.
        let unpacked = unpacked.map_err(bad)?;
        written.map_err(failed)?;
        Ok(Made { incoming, unpacked, digest: digest.clone(), length: hashed.length })
    })
}

/// A layer's directory as the layer's archive.
fn archive(upper: &File, hidden: &BTreeSet<Vec<u8>>, out: &mut dyn Output) -> io::Result<()> {
    let mut writer = Writer::new(out);
    let mut choose = |found: &Found<'_>| if hidden.contains(found.path) { Take::Nothing } else { Take::Whole };
    pack(upper.as_fd(), b"", Packing { name: b"", overlay: true, choose: &mut choose }, &mut writer)?;
    writer.finish().map(drop)
}

/// A layer's blob: the file, or else the archive made of the layer's directory by a thread that ends with its reader.
pub(crate) fn open_layer(inner: &Inner, blob: &Digest) -> Result<Box<dyn Read + Send>> {
    if inner.content.contains(blob) {
        return Ok(Box::new(inner.content.open_blob(blob)?));
    }
    let layers = inner.state.read(|reader| reader.list::<LayerRecord>())?;
    // It came compressed, or was compressed to be sent: what is kept unpacks to it, byte for byte.
    let within = |(_, layer): &&(String, LayerRecord)| {
        layer.diff_id.digest() == blob && layer.kept && inner.content.contains(&layer.blob.digest)
    };
    if let Some((_, layer)) = layers.iter().find(within) {
        let kept = BufReader::with_capacity(64 << 10, inner.content.open_blob(&layer.blob.digest)?);
        let path = inner.content.path(&layer.blob.digest);
        return crate::pull::decompress::decompress(kept).map_err(Error::file("reading", &path));
    }
    let made_here = |(_, layer): &&(String, LayerRecord)| layer.blob.digest == *blob && layer.diff_id.digest() == blob;
    let missing = || Error::Content(format!("blob {blob} is not in the store"));
    let (key, _) = layers.iter().find(made_here).ok_or_else(missing)?;
    let chain = ChainId::parse(key).map_err(|e| Error::State(format!("reading the layer {key:?}: {e}")))?;
    let diff = inner.layers.diff(&chain);
    let directory = File::open(&diff).map_err(Error::file("opening the layer", &diff))?;
    Ok(read_archive(directory))
}

/// The archive that a layer's directory gives, made by a thread that ends with its reader.
pub(crate) fn read_archive(directory: File) -> Box<dyn Read + Send> {
    let (sender, pieces) = sync_channel::<Vec<u8>>(QUEUE);
    std::thread::spawn(move || {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut out = Pieces::new(|piece| sender.send(piece).map_err(|_| gone()));
        let made = archive(&directory, &BTreeSet::new(), &mut out).and_then(|()| out.finish());
        // A reader that gets too little notices: it knows length and digest.
        if let Err(error) = made {
            tracing::debug!(%error, "making a layer's archive");
        }
    });
    Box::new(Received { pieces, current: Vec::new(), taken: 0 })
}

/// Bytes first, then names, then the records.
fn publish(
    inner: &Inner,
    commit: Commit,
    mut chains: Vec<ChainId>,
    below: &[LayerRecord],
    made: Made,
    mut lease: Lease,
) -> Result<ImageId> {
    let Made { incoming, unpacked, digest, length } = made;
    // A container that changed nothing adds no layer, as with Docker.
    let empty = unpacked.entries == 0;
    let docker = below.first().is_some_and(|layer| layer.blob.media_type.starts_with("application/vnd.docker."));
    let kinds = match docker {
        true => (media::DOCKER_MANIFEST, media::DOCKER_CONFIG, media::DOCKER_LAYER),
        false => (media::OCI_MANIFEST, media::OCI_CONFIG, media::OCI_LAYER),
    };
    let diff_id = DiffId(digest.clone());
    let chain = ChainId::extend(chains.last(), &diff_id);
    let blob = Descriptor { size: length, ..Descriptor::of(kinds.2, b"") };
    let blob = Descriptor { digest, ..blob };
    let mut config = commit.config;
    config.rootfs.kind = "layers".into();
    let added = (!empty).then_some((&diff_id, &blob));
    config.rootfs.diff_ids =
        below.iter().map(|layer| &layer.diff_id).chain(added.map(|(diff_id, _)| diff_id)).cloned().collect();
    config.history.push(History { empty_layer: empty, ..commit.history });
    let config_bytes = json(&config)?;
    let layers = below.iter().map(|layer| &layer.blob).chain(added.map(|(_, blob)| blob)).cloned().collect();
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(kinds.0.into()),
        artifact_type: None,
        config: Descriptor::of(kinds.1, &config_bytes),
        layers,
        annotations: None,
    };
    let manifest_bytes = json(&manifest)?;
    let descriptor = Descriptor::of(kinds.0, &manifest_bytes);
    let id = ImageId(manifest.config.digest.clone());
    lease.layer(&chain);
    lease.blob(&manifest.config.digest);
    lease.blob(&descriptor.digest);
    inner.layers.sync()?;
    inner.content.put(&manifest.config.digest, &config_bytes)?;
    inner.content.put(&descriptor.digest, &manifest_bytes)?;
    // The same change on the same image is the same layer.
    let fresh = !empty && !inner.state.read(|reader| reader.exists::<LayerRecord>(chain.as_str()))?;
    if fresh {
        incoming.publish(&chain)?;
    }
    let size = below.iter().map(|layer| layer.size).sum::<u64>() + unpacked.size;
    let parent = chains.last().cloned();
    let layer = LayerRecord { diff_id, parent, blob, size: unpacked.size, created_at: now(), kept: false };
    if !empty {
        chains.push(chain.clone());
    }
    let image = ImageRecord {
        config,
        config_blob: manifest.config.digest.clone(),
        manifest: descriptor,
        index: None,
        blobs: manifest.layers.iter().map(|layer| layer.digest.clone()).collect(),
        layers: chains,
        size,
        tagged_at: now(),
        origin: None,
    };
    let (key, name) = (id.clone(), commit.name.as_ref().map(name_key));
    let base = commit.base;
    inner.state.write(Durability::Synced, move |tx| {
        if fresh {
            tx.put(chain.as_str(), &layer)?;
        }
        tx.put(key.as_str(), &image)?;
        crate::family::adopt(tx, &key, &base)?;
        if let Some(name) = name {
            tx.put(&name, &NameRecord { image: key })?;
        }
        Ok(())
    })?;
    Ok(id)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Content(format!("writing an image's description: {e}")))
}

struct Hashed {
    hasher: Hasher,
    length: u64,
}

impl Hashed {
    fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
    }
}

/// What the archive's maker sends, as a reader.
struct Received {
    pieces: Receiver<Vec<u8>>,
    current: Vec<u8>,
    taken: usize,
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.current.len() {
            match self.pieces.recv() {
                Ok(piece) => (self.current, self.taken) = (piece, 0),
                Err(_) => return Ok(0),
            }
        }
        let got = buffer.len().min(self.current.len() - self.taken);
        buffer[..got].copy_from_slice(&self.current[self.taken..self.taken + got]);
        self.taken += got;
        Ok(got)
    }
}
