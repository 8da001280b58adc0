//! `save`: images as one archive, which is Docker's and an OCI layout at once.
//!
//! ```text
//! oci-layout, index.json                 for readers of layouts
//! manifest.json, repositories            for Docker and who reads what it writes
//! blobs/sha256/<digest>                  manifests, configurations, layers: bottom first, each once
//! <id>.json -> blobs/sha256/<id>         names as Docker's archives had them before version 25
//! <chain id>/layer.tar -> ../blobs/…
//! ```
//!
//! What says what there is comes first, so that a reader of a stream knows what to do with the rest. A layer is the
//! blob that it came as, where Docker of any age can read it: so a saved image has the digests that it was pulled by.
//! The same images give the same bytes.

mod documents;
mod layer;
mod names;

use std::io;
use std::sync::Arc;

use berth_archive::{Entry, Kind, Output, Writer};
use berth_oci::{Descriptor, Digest, Document, ImageId, Manifest, Platform, Reference, media};

use crate::pull::choose;
use crate::record::ImageRecord;
use crate::store::Inner;
use crate::{Error, Lease, Result};
use documents::Described;
use layer::Layer;

/// What is to be saved: found, claimed and measured, and not yet read.
#[derive(Debug)]
pub struct Saving {
    inner: Arc<Inner>,
    images: Vec<Described>,
    /// Manifests and configurations, each once.
    documents: Vec<(Digest, Vec<u8>)>,
    /// Each once.
    layers: Vec<Layer>,
    _claims: Vec<Lease>,
}

/// Finds out what `names` stand for, and claims it.
pub(crate) fn plan(inner: &Arc<Inner>, names: &[String], platform: Option<&Platform>) -> Result<Saving> {
    let found = inner.state.read(|reader| names::find(reader, names))?;
    let mut saving = Saving {
        inner: inner.clone(),
        images: Vec::new(),
        documents: Vec::new(),
        layers: Vec::new(),
        _claims: Vec::new(),
    };
    for (id, names) in found {
        saving.add(id, names, platform)?;
    }
    Ok(saving)
}

/// The images that are meant.
pub(crate) fn meant(inner: &Inner, names: &[String]) -> Result<Vec<ImageId>> {
    Ok(inner.state.read(|reader| names::find(reader, names))?.into_iter().map(|(id, _)| id).collect())
}

impl Saving {
    /// The images, in the archive's order.
    pub fn images(&self) -> impl Iterator<Item = &ImageId> {
        self.images.iter().map(|image| &image.id)
    }

    /// Writes the archive. Blocks.
    ///
    /// # Errors
    /// A layer cannot be read or is not what it was, or nobody takes the archive.
    pub fn write(&self, out: &mut dyn Output) -> io::Result<()> {
        let mut writer = Writer::new(out);
        let mut file =
            |path: &str, bytes: &[u8]| writer.data(&entry(Kind::File, path, bytes.len() as u64), &mut &*bytes);
        file("oci-layout", documents::LAYOUT)?;
        file("index.json", &documents::index(&self.images)?)?;
        file("manifest.json", &documents::manifest(&self.images)?)?;
        if let Some(repositories) = documents::repositories(&self.images)? {
            file("repositories", &repositories)?;
        }
        writer.entry(&entry(Kind::Directory, "blobs/", 0))?;
        writer.entry(&entry(Kind::Directory, "blobs/sha256/", 0))?;
        for (digest, bytes) in &self.documents {
            writer.data(&entry(Kind::File, &documents::path(digest), bytes.len() as u64), &mut &**bytes)?;
        }
        for layer in &self.layers {
            let mut data = layer.open(&self.inner).map_err(io::Error::other)?;
            writer.data(&entry(Kind::File, &documents::path(&layer.digest), layer.size), &mut data)?;
            data.check(&layer.digest)?;
        }
        for (path, target) in documents::links(&self.images) {
            if let Some((directory, _)) = path.split_once('/') {
                writer.entry(&entry(Kind::Directory, &format!("{directory}/"), 0))?;
            }
            writer.entry(&Entry { link: target.into_bytes(), ..entry(Kind::Symlink, &path, 0) })?;
        }
        writer.finish().map(drop)
    }

    fn add(&mut self, id: ImageId, names: Vec<Reference>, platform: Option<&Platform>) -> Result<()> {
        let (claim, record) = self.inner.lease_image(&id)?;
        let record = match names.first() {
            Some(name) => self.inner.as_called(record, name)?,
            None => record,
        };
        let called = names.first().map_or_else(|| id.to_string(), Reference::familiar);
        if platform.is_some() {
            choose::check_system(&record.config, &called, platform)?;
        }
        let own = self.inner.content.read(&record.manifest.digest)?;
        let layers = self.layers_of(&record, &own)?;
        let config = self.inner.content.read(&record.config_blob)?;
        let (manifest, bytes) = manifest(&record, own, &config, layers.iter().map(Layer::descriptor).collect())?;
        self.document(&manifest.digest, bytes);
        self.document(&record.config_blob, config);
        let described = Described {
            id,
            config: record.config_blob.clone(),
            names,
            platform: record.config.platform(),
            layers: record.layers.iter().cloned().zip(layers.iter().map(|layer| layer.digest.clone())).collect(),
            manifest,
        };
        for layer in layers {
            if !self.layers.iter().any(|other| other.digest == layer.digest) {
                self.layers.push(layer);
            }
        }
        self.images.push(described);
        self._claims.push(claim);
        Ok(())
    }

    fn layers_of(&self, record: &ImageRecord, manifest: &[u8]) -> Result<Vec<Layer>> {
        let promised = match Document::parse(manifest, &record.manifest.media_type) {
            Ok(Document::Manifest(manifest)) => manifest.layers,
            _ => Vec::new(),
        };
        let mut layers = Vec::with_capacity(record.layers.len());
        for (number, chain) in record.layers.iter().enumerate() {
            let layer = self
                .inner
                .layer(chain)?
                .ok_or_else(|| Error::Content(format!("the layer {chain} is not in the store")))?;
            let promised = promised.get(number).filter(|_| promised.len() == record.layers.len());
            layers.push(Layer::find(&self.inner, promised, &layer)?);
        }
        Ok(layers)
    }

    fn document(&mut self, digest: &Digest, bytes: Vec<u8>) {
        if !self.documents.iter().any(|(other, _)| other == digest) {
            self.documents.push((digest.clone(), bytes));
        }
    }
}

/// The image's own manifest where the archive can bear it out; else one of what the archive has. Readers of layouts
/// know OCI's types only.
fn manifest(
    record: &ImageRecord,
    own: Vec<u8>,
    config: &[u8],
    layers: Vec<Descriptor>,
) -> Result<(Descriptor, Vec<u8>)> {
    if let Ok(Document::Manifest(manifest)) = Document::parse(&own, &record.manifest.media_type)
        && record.manifest.media_type == media::OCI_MANIFEST
        && manifest.layers.iter().map(|layer| &layer.digest).eq(layers.iter().map(|layer| &layer.digest))
    {
        return Ok((
            Descriptor { digest: record.manifest.digest.clone(), ..Descriptor::of(media::OCI_MANIFEST, &own) },
            own,
        ));
    }
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config: Descriptor { digest: record.config_blob.clone(), ..Descriptor::of(media::OCI_CONFIG, config) },
        layers,
        annotations: None,
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|e| Error::Content(format!("writing a manifest: {e}")))?;
    Ok((Descriptor::of(media::OCI_MANIFEST, &bytes), bytes))
}

/// An entry that is the same whenever and by whomever it is written.
fn entry(kind: Kind, path: &str, size: u64) -> Entry {
    Entry { size, ..Entry::plain(kind, path) }
}
