//! `load`: from an archive of images to images that are here.
//!
//! The archive is read once, from its beginning to its end ([`contents`]); layers are unpacked as they come
//! ([`layers`]), and wait under no name until everything that the archive says of its images ([`catalogue`],
//! [`legacy`]) has been held against what came. Then all of them become visible by one record, or none.

mod catalogue;
mod contents;
mod layers;
mod legacy;
mod publish;

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use berth_oci::{ChainId, DiffId, ImageConfig, ImageId, Platform, Reference};

use crate::pull::decompress::{Counted, Form, proportioned, told};
use crate::pull::{MAX_LAYERS, choose};
use crate::store::Inner;
use crate::{Error, Result};
use catalogue::Described;
use contents::Contents;
use layers::{Came, Slot, unpacking};

const BUFFER: usize = 256 << 10;

/// What a load tells while it goes on, and when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadEvent {
    /// A layer comes in.
    Layer {
        /// The beginning of its digest, or of whatever it is called in the archive.
        layer: String,
        /// Bytes that came.
        current: u64,
        /// Of so many.
        total: u64,
    },
    /// A name was another image's, which has lost it.
    Renamed {
        /// The name as users write it.
        name: String,
        /// The image that was called so.
        old: ImageId,
    },
    /// An image is here, by this name.
    Named {
        /// The name as users write it.
        name: String,
        /// The image.
        image: ImageId,
    },
    /// An image is here, by no name.
    Nameless(ImageId),
}

/// Where a load's events go; called from several threads.
pub(crate) type Tell<'a> = &'a (dyn Fn(LoadEvent) + Send + Sync);

/// An image that is all there, and is what its configuration promises.
struct Whole {
    described: Described,
    id: ImageId,
    config: ImageConfig,
    /// What each layer is, bottom first, and where it came.
    layers: Vec<(DiffId, Slot)>,
}

/// Loads an archive's images. Blocks.
pub(crate) fn load(
    inner: &Arc<Inner>,
    archive: impl Read + Send,
    platform: Option<&Platform>,
    tell: Tell<'_>,
) -> Result<Vec<ImageId>> {
    let (contents, came, claims) = unpacking(inner, tell, |layers| {
        let came = Arc::new(AtomicU64::new(0));
        let mut archive = BufReader::with_capacity(BUFFER, Counted::new(archive, came.clone()));
        if archive.fill_buf().map_err(|e| Error::Archive(e.to_string()))?.is_empty() {
            return Err(Error::Archive("it is empty".to_owned()));
        }
        let (form, archive) = told(archive).map_err(|e| Error::Archive(e.to_string()))?;
        if form == Form::Plain {
            return Contents::read(archive, layers);
        }
        let plain = form.unpack(archive).map_err(|e| contents::no_archive(&e))?;
        Contents::read(BufReader::with_capacity(BUFFER, proportioned(plain, came)), layers)
    })?;
    let mut described = catalogue::images(&contents, platform)?;
    if described.is_empty() {
        described = legacy::images(&contents, &came)?;
    }
    let whole = |image| verify(inner, &contents, &came, image, platform);
    let images: Vec<Whole> = described.into_iter().map(whole).collect::<Result<_>>()?;
    let loaded = publish::publish(inner, images, came, tell)?;
    drop(claims);
    Ok(loaded)
}

/// Holds what an image promises against what came.
fn verify(
    inner: &Inner,
    contents: &Contents,
    came: &Came,
    described: Described,
    platform: Option<&Platform>,
) -> Result<Whole> {
    let id = ImageId(berth_oci::Digest::of(&described.config));
    let called = described.names.first().map_or_else(|| id.to_string(), Reference::familiar);
    let wrong = |what: String| Error::Archive(format!("the image {called}: {what}"));
    let config = ImageConfig::parse(&described.config);
    let config = config.map_err(|e| wrong(format!("its configuration does not parse: {e}")))?;
    choose::check_system(&config, &called, platform)?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != described.layers.len() {
        let (listed, promised) = (described.layers.len(), diff_ids.len());
        return Err(wrong(format!("{listed} layers are listed, but its configuration promises {promised}")));
    }
    if diff_ids.len() > MAX_LAYERS {
        let count = diff_ids.len();
        return Err(wrong(format!("it has {count} layers; {MAX_LAYERS} is the most that can be mounted")));
    }
    let mut layers = Vec::with_capacity(diff_ids.len());
    for (number, (path, expected)) in described.layers.iter().zip(diff_ids).enumerate() {
        let slot = contents.layer(path)?;
        let actual = diff_id(inner, came, &slot)?;
        if actual != *expected {
            return Err(wrong(format!("invalid diffID for layer {number}: expected \"{expected}\", got \"{actual}\"")));
        }
        layers.push((actual, slot));
    }
    Ok(Whole { described, id, config, layers })
}

/// What a layer turned out to be.
fn diff_id(inner: &Inner, came: &Came, slot: &Slot) -> Result<DiffId> {
    match slot {
        Slot::Came(number) => match came.get(*number).and_then(Option::as_ref) {
            Some(Ok(fresh)) => Ok(fresh.diff_id().clone()),
            Some(Err(error)) => Err(error.clone()),
            None => Err(Error::Content("a thread that unpacks layers died".to_owned())),
        },
        Slot::Here(chain) => inner.layer(chain)?.map(|record| record.diff_id).ok_or_else(|| lost(chain)),
    }
}

fn lost(chain: &ChainId) -> Error {
    Error::Content(format!("the layer {chain} went away while it was claimed"))
}
