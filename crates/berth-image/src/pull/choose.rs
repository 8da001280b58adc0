//! Which manifest is meant: by tag or digest, and by platform where there is a choice.

use berth_oci::{Descriptor, Digest, Document, ImageConfig, Index, Manifest, Platform, Reference, media};

use super::source::{Fetched, Future_, Source};
use crate::{Error, Result};

const MAX_MANIFEST: u64 = 8 << 20;
/// Lists of lists exist; lists of lists of lists of lists are a joke at our expense.
const MAX_NESTING: usize = 3;
/// And so are many of them side by side.
const MAX_LISTS: usize = 32;

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
    let fetched = source.manifest(reference.object()).await?;
    let (document, descriptor) = read(&fetched, reference.digest())?;
    match document {
        Document::Manifest(manifest) => Ok(Chosen { manifest, descriptor, bytes: fetched.bytes, index: None }),
        Document::Index(index) => {
            let mut left = MAX_LISTS;
            let found = within(source, &index, &platform, MAX_NESTING, &mut left).await?;
            let found = found.ok_or_else(|| Error::NoMatchingManifest { platform: platform.to_string() })?;
            Ok(Chosen { index: Some((descriptor, fetched.bytes)), ..found })
        }
    }
}

/// What a list has for a platform, or a list that it leads to; the best first.
fn within<'a>(
    source: &'a dyn Source,
    index: &'a Index,
    platform: &'a Platform,
    depth: usize,
    left: &'a mut usize,
) -> Future_<'a, Option<Chosen>> {
    Box::pin(async move {
        for entry in suitable(index, platform) {
            let next = source.manifest(entry.digest.as_str()).await?;
            check_size(entry, &next)?;
            let media_type = if next.media_type.is_empty() { entry.media_type.clone() } else { next.media_type };
            let fetched = Fetched { bytes: next.bytes, media_type };
            let (document, descriptor) = read(&fetched, Some(&entry.digest))?;
            let inner = match document {
                Document::Manifest(manifest) => {
                    return Ok(Some(Chosen { manifest, descriptor, bytes: fetched.bytes, index: None }));
                }
                Document::Index(inner) => inner,
            };
            if depth == 0 || *left == 0 {
                return Err(Error::BadImage("the manifest list leads to further lists without end".into()));
            }
            *left -= 1;
            if let Some(found) = within(source, &inner, platform, depth - 1, left).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    })
}

/// A manifest or a list, checked against the digest that it was asked for by.
pub(crate) fn read(fetched: &Fetched, expected: Option<&Digest>) -> Result<(Document, Descriptor)> {
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

/// The entry that suits best; the first of those that suit equally.
pub(crate) fn best(index: &Index, platform: &Platform) -> Result<Descriptor> {
    let none = || Error::NoMatchingManifest { platform: platform.to_string() };
    suitable(index, platform).first().map(|entry| (*entry).clone()).ok_or_else(none)
}

/// The entries that suit, the best first; one that names no platform, as lists within lists do, as a last resort.
fn suitable<'i>(index: &'i Index, platform: &Platform) -> Vec<&'i Descriptor> {
    let entries = index.manifests.iter().filter(|entry| !entry.is_attestation());
    let mut suitable: Vec<(u32, &Descriptor)> = entries
        .filter_map(|entry| match &entry.platform {
            Some(found) => Some((platform.suits(found)?, entry)),
            None => Some((u32::MAX, entry)),
        })
        .collect();
    suitable.sort_by_key(|(distance, _)| *distance);
    suitable.into_iter().map(|(_, entry)| entry).collect()
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
