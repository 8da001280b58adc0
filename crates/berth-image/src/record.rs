//! What lies on disk about images: one record a name, an image, its parent, a layer, a hold.
//!
//! Keys: a name's is the whole reference (`docker.io/library/busybox:latest`, `…@sha256:…`); an image's its id, and so
//! that of its parent's record; a layer's its chain id; a hold's `<image id>/<container id>`.

use berth_oci::{ChainId, Descriptor, DiffId, Digest, ImageConfig, ImageId};
use berth_state::{Reader, Record};
use serde::{Deserialize, Serialize};

use crate::form::Form;

/// What a name stands for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NameRecord {
    pub(crate) image: ImageId,
    /// What the registry calls it by whose manifest it came here, a manifest or a list; nothing where it was named
    /// here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
}

impl Record for NameRecord {
    const KIND: &'static str = "image-name";
    const VERSION: u32 = 1;
}

/// An image. Its configuration is kept parsed, so that starting a container opens no blob.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImageRecord {
    pub(crate) config: ImageConfig,
    /// The manifest it came by; the configuration blob is named there.
    pub(crate) manifest: Descriptor,
    pub(crate) config_blob: Digest,
    /// The manifest list it was chosen from.
    pub(crate) index: Option<Descriptor>,
    /// The compressed layers of that manifest.
    pub(crate) blobs: Vec<Digest>,
    /// Bottom first.
    pub(crate) layers: Vec<ChainId>,
    pub(crate) size: u64,
    pub(crate) tagged_at: i64,
    /// The repository it was last pulled from (`docker.io/library/busybox`): what is not kept can be had there again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<String>,
    /// Other manifests of the same image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) others: Vec<Form>,
}

impl Record for ImageRecord {
    const KIND: &'static str = "image";
    const VERSION: u32 = 1;
}

impl ImageRecord {
    /// Every blob it names. Layers found unpacked already may be named here and have no blob.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Digest> {
        let others = self.others.iter().flat_map(|form| &form.blobs);
        self.documents().chain(&self.blobs).chain(others)
    }

    /// The blobs that say what it is: manifests, configuration, manifest lists.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Digest> {
        let own = [&self.manifest.digest, &self.config_blob].into_iter().chain(self.index.as_ref().map(|i| &i.digest));
        own.chain(self.others.iter().flat_map(Form::documents))
    }
}

/// The image that an image was made of, by a commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ParentRecord {
    pub(crate) parent: ImageId,
}

impl Record for ParentRecord {
    const KIND: &'static str = "image-parent";
    const VERSION: u32 = 1;
}

/// A layer that is under `layers/`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    pub(crate) diff_id: DiffId,
    pub(crate) parent: Option<ChainId>,
    /// The compressed form it came in.
    pub(crate) blob: Descriptor,
    /// Bytes of its files.
    pub(crate) size: u64,
    /// Seconds since 1970.
    pub(crate) created_at: i64,
    /// The blob is kept beside the layer. Where it is not, it can be made of the layer again, or fetched again.
    #[serde(default = "yes")]
    pub(crate) kept: bool,
    /// The layer keeps its archive as it came, of so many bytes.
    #[serde(default)]
    pub(crate) archive: Option<u64>,
    /// CRC-32 of that archive, where it came uncompressed: by it, it is known to be unchanged when it is compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) crc: Option<u32>,
}

/// What a record of an earlier version means.
fn yes() -> bool {
    true
}

impl Record for LayerRecord {
    const KIND: &'static str = "layer";
    const VERSION: u32 = 1;
}

/// A container's claim on its image.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HoldRecord {
    pub(crate) container: String,
    /// The image's layers, bottom first: they outlive an image that is deleted by force.
    pub(crate) layers: Vec<ChainId>,
}

impl Record for HoldRecord {
    const KIND: &'static str = "image-hold";
    const VERSION: u32 = 1;
}

pub(crate) fn hold_key(image: &ImageId, container: &str) -> String {
    format!("{image}/{container}")
}

/// The containers that hold an image.
pub(crate) fn holders(reader: &Reader<'_>, image: &ImageId) -> berth_state::Result<Vec<String>> {
    let holds = reader.list_prefix::<HoldRecord>(&format!("{image}/"))?;
    Ok(holds.into_iter().map(|(_, hold)| hold.container).collect())
}
