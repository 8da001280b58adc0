//! Which manifest is meant: by tag or digest, and by platform where there is a choice.

use berth_oci::{Descriptor, Digest, Document, ImageConfig, Index, Manifest, Platform, Reference, media};

use super::source::{Fetched, Source};
use crate::{Error, Result};

const MAX_MANIFEST: u64 = 8 << 20;
/// Lists of lists exist; lists of lists of lists of lists are a joke at our expense.
const MAX_NESTING: usize = 4;

/// One image's manifest, and how it was found.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) manifest: Manifest,
    pub(crate) descriptor: Descriptor,
    bytes: Vec<u8>,
    /// The list that the name stands for.
    pub(crate) index: Option<(Descriptor, Vec<u8>)>,
}

impl Chosen {
    /// What the name stands for.
    pub(crate) fn root_digest(&self) -> &Digest {
        self.index.as_ref().map_or(&self.descriptor.digest, |(descriptor, _)| &descriptor.digest)
    }

    /// The documents that are kept.
    pub(crate) fn blobs(&self) -> Vec<(Digest, Vec<u8>)> {
        let index = self.index.iter().map(|(descriptor, bytes)| (descriptor.digest.clone(), bytes.clone()));
        index.chain([(self.descriptor.digest.clone(), self.bytes.clone())]).collect()
    }
}

pub(crate) async fn choose(source: &dyn Source, reference: &Reference, wanted: Option<&Platform>) -> Result<Chosen> {
    let platform = wanted.cloned().unwrap_or_else(Platform::host);
    let mut expected = reference.digest().cloned();
    let mut fetched = source.manifest(reference.object()).await?;
    let mut root = None;
    for _ in 0..MAX_NESTING {
        let (document, descriptor) = read(&fetched, expected.as_ref())?;
        match document {
            Document::Manifest(manifest) => {
                return Ok(Chosen { manifest, descriptor, bytes: fetched.bytes, index: root });
            }
            Document::Index(index) => {
                let entry = best(&index, &platform)?;
                let next = source.manifest(entry.digest.as_str()).await?;
                check_size(&entry, &next)?;
                root.get_or_insert((descriptor, fetched.bytes));
                expected = Some(entry.digest.clone());
                let media_type = if next.media_type.is_empty() { entry.media_type } else { next.media_type };
                fetched = Fetched { bytes: next.bytes, media_type };
            }
        }
    }
    Err(Error::BadImage("the manifest list leads to further lists without end".into()))
}

fn read(fetched: &Fetched, expected: Option<&Digest>) -> Result<(Document, Descriptor)> {
    if fetched.bytes.len() as u64 > MAX_MANIFEST {
        let message = format!("{} bytes are too many", fetched.bytes.len());
        return Err(Error::Verification { what: "manifest", message });
    }
    if let Some(expected) = expected.filter(|d| !d.matches(&fetched.bytes)) {
        let message = format!("expected {expected}, got {}", Digest::of(&fetched.bytes));
        return Err(Error::Verification { what: "manifest", message });
    }
    let document = Document::parse(&fetched.bytes, &fetched.media_type).map_err(|e| Error::BadImage(e.to_string()))?;
    let mut descriptor = Descriptor::of(document.media_type(), &fetched.bytes);
    if let Some(expected) = expected {
        descriptor.digest = expected.clone();
    }
    if descriptor.media_type.is_empty() {
        descriptor.media_type = media::essence(&fetched.media_type).to_owned();
    }
    Ok((document, descriptor))
}

fn check_size(entry: &Descriptor, fetched: &Fetched) -> Result<()> {
    let length = fetched.bytes.len() as u64;
    if length == entry.size {
        return Ok(());
    }
    let message = format!("expected {} bytes, got {length}", entry.size);
    Err(Error::Verification { what: "manifest", message })
}

/// The entry that suits best; the first of those that suit equally. One that names no platform suits as a last resort.
pub(crate) fn best(index: &Index, platform: &Platform) -> Result<Descriptor> {
    let entries = index.manifests.iter().filter(|entry| !entry.is_attestation());
    let suitable = entries.filter_map(|entry| {
        let distance = match &entry.platform {
            Some(found) => platform.suits(found)?,
            None => u32::MAX,
        };
        Some((distance, entry))
    });
    match suitable.min_by_key(|(distance, _)| *distance) {
        Some((_, entry)) => Ok(entry.clone()),
        None => Err(Error::NoMatchingManifest { platform: platform.to_string() }),
    }
}

/// An image that came without a list; `called` is what the user knows it by.
pub(crate) fn check_system(config: &ImageConfig, called: &str, wanted: Option<&Platform>) -> Result<()> {
    let (host, found) = (Platform::host(), config.platform());
    if !found.os.is_empty() && found.os != host.os {
        let wanted = wanted.unwrap_or(&host).to_string();
        return Err(Error::WrongPlatform { wanted, found: found.to_string() });
    }
    match wanted.filter(|wanted| !found.architecture.is_empty() && wanted.suits(&found).is_none()) {
        Some(wanted) => Err(Error::PlatformMismatch {
            reference: called.to_owned(),
            found: found.to_string(),
            wanted: wanted.to_string(),
        }),
        None => Ok(()),
    }
}

/// A configuration may contradict the list; and where there is no list, it alone says what the image is for.
pub(crate) fn check_platform(
    config: &ImageConfig,
    reference: &Reference,
    wanted: Option<&Platform>,
    from_list: bool,
) -> Result<()> {
    let host = Platform::host();
    let found = config.platform();
    // Old images name no system: they are for Linux.
    if !found.os.is_empty() && found.os != host.os {
        let wanted = wanted.unwrap_or(&host).to_string();
        return Err(Error::WrongPlatform { wanted, found: found.to_string() });
    }
    match wanted {
        Some(wanted) if !from_list && !found.architecture.is_empty() && wanted.suits(&found).is_none() => {
            Err(Error::PlatformMismatch {
                reference: reference.familiar(),
                found: found.to_string(),
                wanted: wanted.to_string(),
            })
        }
        _ => Ok(()),
    }
}
