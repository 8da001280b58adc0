//! Which images an archive says it has: Docker's `manifest.json`, or an OCI layout's `index.json`.
//!
//! Where an archive is both, Docker's says what there is and what it is called, and the layout has the manifests.

use std::collections::BTreeSet;

use berth_oci::{Descriptor, Digest, Document, ImageId, Index, Manifest, Platform, Reference, media};
use serde::Deserialize;

use super::contents::Contents;
use crate::pull::{check_manifest, choose};
use crate::{Error, Result};

const DOCKER: &str = "manifest.json";
const LAYOUT: &str = "index.json";
/// As in a pull.
const MAX_NESTING: usize = 4;
/// What containerd, and Docker with it, calls an entry's whole name.
const IMAGE_NAME: &str = "io.containerd.image.name";
/// What layouts call an entry's name; often only its tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image, as the archive describes it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) names: Vec<Reference>,
    /// The configuration's bytes.
    pub(super) config: Vec<u8>,
    /// Paths of its layers, bottom first.
    pub(super) layers: Vec<String>,
    /// What it was made of, where that is known.
    pub(super) parent: Option<ImageId>,
    /// The manifest by which a layout has it.
    pub(super) manifest: Option<Own>,
}

/// A manifest that is in the archive.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) descriptor: Descriptor,
    pub(super) bytes: Vec<u8>,
    pub(super) layers: Vec<Descriptor>,
    config: Descriptor,
}

impl Own {
    fn new(entry: &Descriptor, manifest: Manifest, bytes: &[u8]) -> Self {
        let media_type = manifest.media_type.as_ref().unwrap_or(&entry.media_type);
        let descriptor = Descriptor { digest: entry.digest.clone(), ..Descriptor::of(media_type, bytes) };
        Self { descriptor, bytes: bytes.to_vec(), layers: manifest.layers, config: manifest.config }
    }

    /// Where the archive has none, the one that it would have had.
    pub(super) fn generated(config: &[u8], layers: Vec<Descriptor>) -> Result<Self> {
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(media::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config: Descriptor::of(media::OCI_CONFIG, config),
            layers,
            annotations: None,
        };
        let bytes = serde_json::to_vec(&manifest).map_err(|e| Error::Content(format!("writing a manifest: {e}")))?;
        Ok(Self::new(&Descriptor::of(media::OCI_MANIFEST, &bytes), manifest, &bytes))
    }

    fn paths(&self) -> Vec<String> {
        self.layers.iter().map(|layer| path(&layer.digest)).collect()
    }
}

/// An entry of `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
    #[serde(default)]
    parent: Option<String>,
}

/// The images of an archive, in its order.
///
/// # Errors
/// It has none, or says so in a way that cannot be read.
pub(super) fn images(contents: &Contents, platform: Option<&Platform>) -> Result<Vec<Described>> {
    let found = if contents.has(DOCKER) {
        of_docker(contents)?
    } else if contents.has(LAYOUT) {
        of_layout(contents, platform)?
    } else if contents.has(super::legacy::REPOSITORIES) {
        return Ok(Vec::new());
    } else {
        return Err(Error::Archive(
            "it has no image: neither manifest.json nor index.json nor repositories is in it (a root file system \
             becomes an image by `import`)"
                .to_owned(),
        ));
    };
    match found.is_empty() {
        true => Err(Error::Archive("it has no image".to_owned())),
        false => Ok(found),
    }
}

fn of_docker(contents: &Contents) -> Result<Vec<Described>> {
    let items: Vec<Item> = json(contents.document(DOCKER)?, DOCKER)?;
    let manifests = if contents.has(LAYOUT) { manifests(contents)? } else { Vec::new() };
    let describe = |item: Item| {
        let config = contents.document(&item.config)?.to_vec();
        let layers = item.layers.unwrap_or_default();
        let names: Result<Vec<Reference>> = item.repo_tags.iter().flatten().map(|text| tag(text)).collect();
        let digest = Digest::of(&config);
        let same = |manifest: &&Own| manifest.config.digest == digest && manifest.paths() == layers;
        let manifest = manifests.iter().find(same).cloned();
        let parent = item.parent.and_then(|parent| ImageId::parse(&parent).ok());
        Ok(Described { names: names?, config, layers, parent, manifest })
    };
    items.into_iter().map(describe).collect()
}

fn of_layout(contents: &Contents, platform: Option<&Platform>) -> Result<Vec<Described>> {
    let index: Index = json(contents.document(LAYOUT)?, LAYOUT)?;
    let mut images: Vec<Described> = Vec::new();
    for entry in index.manifests.iter().filter(|entry| !entry.is_attestation()) {
        let (name, own) = (name(entry), chosen(contents, entry, platform)?);
        let same = |image: &&mut Described| {
            image.manifest.as_ref().is_some_and(|found| found.descriptor.digest == own.descriptor.digest)
        };
        // One image under several names has an entry for each.
        if let Some(image) = images.iter_mut().find(same) {
            image.names.extend(name.filter(|name| !image.names.contains(name)));
            continue;
        }
        let config = contents.document(&path(&own.config.digest))?.to_vec();
        let (names, layers) = (name.into_iter().collect(), own.paths());
        images.push(Described { names, config, layers, parent: None, manifest: Some(own) });
    }
    Ok(images)
}

/// The manifest that an entry leads to, by platform where there is a choice.
fn chosen(contents: &Contents, entry: &Descriptor, platform: Option<&Platform>) -> Result<Own> {
    let wanted = platform.cloned().unwrap_or_else(Platform::host);
    let mut entry = entry.clone();
    for _ in 0..MAX_NESTING {
        let bytes = contents.document(&path(&entry.digest))?;
        match document(&entry, bytes)? {
            Document::Manifest(manifest) => {
                check_manifest(&manifest)?;
                return Ok(Own::new(&entry, manifest, bytes));
            }
            Document::Index(index) => entry = choose::best(&index, &wanted)?,
        }
    }
    Err(Error::Archive("its index leads to further indexes without end".to_owned()))
}

/// Every manifest that the layout has, whatever its platform. What is no manifest is left to those who need it.
fn manifests(contents: &Contents) -> Result<Vec<Own>> {
    let index: Index = json(contents.document(LAYOUT)?, LAYOUT)?;
    let (mut level, mut found, mut seen) = (index.manifests, Vec::new(), BTreeSet::new());
    while !level.is_empty() {
        let mut next = Vec::new();
        for entry in level.into_iter().filter(|entry| seen.insert(entry.digest.to_string())) {
            let Ok(bytes) = contents.document(&path(&entry.digest)) else { continue };
            match document(&entry, bytes) {
                Ok(Document::Manifest(manifest)) => found.push(Own::new(&entry, manifest, bytes)),
                Ok(Document::Index(index)) => next.extend(index.manifests),
                Err(_) => {}
            }
        }
        level = next;
    }
    Ok(found)
}

fn document(entry: &Descriptor, bytes: &[u8]) -> Result<Document> {
    if !entry.digest.matches(bytes) {
        return Err(super::contents::wrong_digest(&entry.digest, &Digest::of(bytes)));
    }
    Document::parse(bytes, &entry.media_type).map_err(|e| Error::Archive(format!("{}: {e}", path(&entry.digest))))
}

fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

fn tag(text: &str) -> Result<Reference> {
    let name = Reference::parse_name(text).map_err(|e| Error::Archive(format!("it names an image {text:?}: {e}")))?;
    match (name.tag(), name.digest()) {
        (Some(_), None) => Ok(name),
        _ => Err(Error::Archive(format!("it names an image {text:?}, which is no name with a tag"))),
    }
}

/// What an entry is called. A tag alone is no name: the image is known by its id then.
fn name(entry: &Descriptor) -> Option<Reference> {
    let whole = |text: &&str| text.contains(['/', ':']);
    let text = entry.annotation(IMAGE_NAME).or_else(|| entry.annotation(REF_NAME).filter(whole))?;
    Reference::parse(text).ok().filter(|name| name.tag().is_some() && name.digest().is_none())
}

/// Reads a document of the archive.
///
/// # Errors
/// It is not what it should be.
pub(super) fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8], path: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::Archive(format!("{path} does not parse: {e}")))
}
