//! A push: from an image that is here to a name at a registry.
//!
//! Layers, several at once → configurations → manifests → the name. What was pulled goes back as it came, byte for
//! byte; a layer that was made here is compressed the first time and kept so, and the image's manifest is written
//! anew. Start reading at [`push`]; `plan` says what there is to send, `layer` sends it.

mod compress;
mod event;
mod layer;
mod plan;
mod record;
mod target;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use berth_oci::{Descriptor, Digest, ImageId, Platform, Reference};
use bytes::Bytes;
use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, mpsc};

pub use event::{PushEvent, PushPhase};

use crate::record::{ImageRecord, NameRecord};
use crate::resolve::parse_key;
use crate::store::Inner;
use crate::{Credentials, Error, ImageStore, Result};
use layer::Teller;
use plan::{Layer, Plan};
use target::Target;

type Progress<'a> = &'a (dyn Fn(PushEvent) + Send + Sync);

/// Layers that are compressed at once; each by all cores, so that reading one does not leave them idle.
const COMPRESSING: usize = 2;

/// What to push.
#[derive(Debug, Clone)]
pub struct Push {
    /// Where to, and what of it; without a tag, every tag of the repository.
    pub reference: Reference,
    /// Only the image for this platform.
    pub platform: Option<Platform>,
    /// Whom the registry shall take us for.
    pub credentials: Option<Credentials>,
}

/// One name that a registry has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The name.
    pub reference: Reference,
    /// The image.
    pub image: ImageId,
    /// What the registry calls it.
    pub digest: Digest,
}

impl ImageStore {
    /// Brings an image to a registry, or all tags of a repository. `progress` is called on the caller's task.
    ///
    /// Dropping the future stops it; what the registry has by then, and what was compressed, serves the next push.
    ///
    /// # Errors
    /// What the registry or the disk said.
    pub async fn push(&self, wanted: &Push, progress: &(dyn Fn(PushEvent) + Send + Sync)) -> Result<Vec<Pushed>> {
        let pushed = push(&self.inner, wanted, progress).await;
        self.inner.made_room_soon(pushed).await
    }
}

async fn push(inner: &Arc<Inner>, wanted: &Push, progress: Progress<'_>) -> Result<Vec<Pushed>> {
    if wanted.reference.digest().is_some() {
        return Err(Error::PushByDigest);
    }
    progress(PushEvent::Started { repository: wanted.reference.name() });
    let names = names(inner, &wanted.reference)?;
    let target = Target::new(inner, &wanted.reference, wanted.credentials.clone());
    let mut pushed = Vec::with_capacity(names.len());
    for (reference, image) in names {
        let digest = one(&target, &reference, &image, wanted.platform.as_ref(), progress).await?;
        pushed.push(Pushed { reference, image, digest });
    }
    Ok(pushed)
}

/// The names that are meant, with Docker's words where there are none.
fn names(inner: &Inner, wanted: &Reference) -> Result<Vec<(Reference, ImageId)>> {
    let all = inner.state.read(|reader| reader.list_prefix::<NameRecord>(&wanted.name()))?;
    let mut names = Vec::new();
    for (key, name) in all {
        names.push((parse_key(&key)?, name.image));
    }
    // The prefix is also that of longer names.
    names.retain(|(reference, _)| reference.name() == wanted.name());
    if names.is_empty() {
        return Err(Error::NothingToPush(wanted.familiar_name()));
    }
    names.retain(|(reference, _)| reference.tag().is_some());
    match wanted.tag() {
        Some(tag) => names.retain(|(reference, _)| reference.tag() == Some(tag)),
        None if names.is_empty() => return Err(Error::NoTagsToPush(wanted.familiar_name())),
        None => {}
    }
    if names.is_empty() { Err(Error::NoSuchTag(wanted.familiar())) } else { Ok(names) }
}

/// One name; gives back what the registry calls it.
async fn one(
    target: &Target,
    reference: &Reference,
    image: &ImageId,
    platform: Option<&Platform>,
    progress: Progress<'_>,
) -> Result<Digest> {
    let (mut lease, record) = target.inner.lease_image(image)?;
    // What was pulled goes back as it came, also where the image came by several manifests.
    let record = target.inner.as_called(record, reference)?;
    let mut plan = plan::plan(&target.inner, &record, reference, platform)?;
    let sent = send_layers(target, &record, &plan.layers, progress).await?;
    for config in &plan.small {
        target.bring(&config.digest, config.size).await?;
    }
    let made = record::rewrite(&target.inner, &mut plan, &sent, &mut lease)?;
    if let Some((index, manifest)) = plan.instead_of.as_ref().zip(plan.documents.last()) {
        progress(PushEvent::Instead { index: Box::new(index.clone()), manifest: Box::new(manifest.0.clone()) });
    }
    let (digest, size) = put(target, reference, &plan).await?;
    // Whoever gives up now gives up too late: the lease ends when what it protects is recorded.
    let (inner, reference, image) = (target.inner.clone(), reference.clone(), image.clone());
    let (tag, named) = (reference.tag().unwrap_or_default().to_owned(), digest.clone());
    let recording = tokio::spawn(async move {
        let recorded = record::record(&inner, &reference, &image, &named, made).await;
        drop(lease);
        recorded
    });
    recording.await.map_err(|e| Error::Content(format!("recording the push: {e}")))??;
    progress(PushEvent::Pushed { tag, digest: digest.clone(), size });
    Ok(digest)
}

/// All layers, several at once, the topmost first as with Docker; what each is at the registry.
async fn send_layers(
    target: &Target,
    image: &ImageRecord,
    layers: &[Layer],
    progress: Progress<'_>,
) -> Result<HashMap<Digest, Descriptor>> {
    let mut once = BTreeSet::new();
    let layers: Vec<&Layer> = layers.iter().rev().filter(|layer| once.insert(layer.blob.digest.clone())).collect();
    let (events, mut told) = mpsc::unbounded_channel();
    for layer in &layers {
        progress(PushEvent::Layer { layer: layer.shown.clone(), phase: PushPhase::Preparing });
    }
    let tellers: Vec<Teller> =
        layers.iter().map(|layer| Teller { layer: layer.shown.clone(), events: events.clone() }).collect();
    drop(events);
    let all =
        try_join_all(layers.iter().zip(&tellers).map(|(layer, teller)| layer::push(target, image, layer, teller)));
    tokio::pin!(all);
    let sent = loop {
        tokio::select! {
            biased;
            Some(event) = told.recv() => progress(event),
            result = &mut all => break result?,
        }
    };
    while let Ok(event) = told.try_recv() {
        progress(event);
    }
    Ok(layers.iter().map(|layer| layer.blob.digest.clone()).zip(sent).collect())
}

/// The documents, the last under the name; its digest and size.
async fn put(target: &Target, reference: &Reference, plan: &Plan) -> Result<(Digest, u64)> {
    let Some(((last, bytes), before)) = plan.documents.split_last() else {
        return Err(Error::Content("there is no manifest to push".into()));
    };
    let send = async |object: &str, descriptor: &Descriptor, bytes: &[u8]| {
        let bytes = Bytes::copy_from_slice(bytes);
        let put = target.repository.put_manifest(object, &descriptor.media_type, bytes).await;
        put.map_err(|e| target.translate(e))
    };
    for (descriptor, bytes) in before {
        send(descriptor.digest.as_str(), descriptor, bytes).await?;
    }
    let called = send(reference.object(), last, bytes).await?;
    Ok((called.unwrap_or_else(|| last.digest.clone()), bytes.len() as u64))
}

/// What pushes share.
#[derive(Debug)]
pub(crate) struct Uploads {
    /// Replaced as a whole when another number is allowed; uploads under way keep their old slots.
    slots: Mutex<Arc<Semaphore>>,
    compressing: Arc<Semaphore>,
    /// A layer is compressed once, whoever wants it.
    turns: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
}

impl Uploads {
    pub(crate) fn new(at_once: usize) -> Self {
        let slots = Mutex::new(Arc::new(Semaphore::new(at_once.max(1))));
        Self { slots, compressing: Arc::new(Semaphore::new(COMPRESSING)), turns: Mutex::default() }
    }

    /// So many at once from now on.
    pub(crate) fn allow(&self, at_once: usize) {
        *self.slots.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Semaphore::new(at_once.max(1)));
    }

    pub(crate) fn slots(&self) -> Arc<Semaphore> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn compressing(&self) -> Arc<Semaphore> {
        self.compressing.clone()
    }

    /// Whoever holds it compresses the layer.
    pub(crate) fn turn(&self, layer: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(layer).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(layer.clone(), Arc::downgrade(&turn));
        turn
    }
}
