//! What an archive says of itself: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use berth_oci::{ChainId, Descriptor, Digest, ImageId, Index, Platform, Reference, media};
use serde::Serialize;

/// `oci-layout`.
pub(super) const LAYOUT: &[u8] = b"{\"imageLayoutVersion\":\"1.0.0\"}";

const IMAGE_NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An image of the archive.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) id: ImageId,
    pub(super) config: Digest,
    pub(super) names: Vec<Reference>,
    pub(super) platform: Platform,
    /// What each layer is in its stack, and the blob that has it.
    pub(super) layers: Vec<(ChainId, Digest)>,
    pub(super) manifest: Descriptor,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Where a blob lies.
pub(super) fn path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// `index.json`: an entry for each name, or one for an image that has none.
pub(super) fn index(images: &[Described]) -> io::Result<Vec<u8>> {
    let mut manifests = Vec::new();
    for image in images {
        let entry = Descriptor { platform: Some(image.platform.clone()), ..image.manifest.clone() };
        if image.names.is_empty() {
            manifests.push(entry.clone());
        }
        manifests.extend(image.names.iter().map(|name| {
            let tag = name.tag().unwrap_or_default().to_owned();
            let annotations = [(IMAGE_NAME.to_owned(), name.to_string()), (REF_NAME.to_owned(), tag)];
            Descriptor { annotations: Some(annotations.into()), ..entry.clone() }
        }));
    }
    let media_type = Some(media::OCI_INDEX.to_owned());
    json(&Index { schema_version: 2, media_type, manifests, annotations: None })
}

/// `manifest.json`.
pub(super) fn manifest(images: &[Described]) -> io::Result<Vec<u8>> {
    let item = |image: &Described| {
        let names: Vec<String> = image.names.iter().map(Reference::familiar).collect();
        Item {
            config: path(&image.config),
            repo_tags: (!names.is_empty()).then_some(names),
            layers: image.layers.iter().map(|(_, blob)| path(blob)).collect(),
        }
    };
    json(&images.iter().map(item).collect::<Vec<_>>())
}

/// `repositories`: each name's topmost layer. Nothing where nothing has a name.
pub(super) fn repositories(images: &[Described]) -> io::Result<Option<Vec<u8>>> {
    let mut repositories: BTreeMap<String, BTreeMap<&str, &str>> = BTreeMap::new();
    for image in images {
        let Some((top, _)) = image.layers.last() else { continue };
        for name in &image.names {
            let tags = repositories.entry(name.familiar_name()).or_default();
            tags.insert(name.tag().unwrap_or_default(), top.hex());
        }
    }
    (!repositories.is_empty()).then(|| json(&repositories)).transpose()
}

/// Where Docker's archives had configurations and layers before they were layouts too, and what lies there now.
pub(super) fn links(images: &[Described]) -> Vec<(String, String)> {
    let mut links = BTreeSet::new();
    for image in images {
        links.insert((format!("{}.json", image.config.hex()), path(&image.config)));
        links.extend(
            image
                .layers
                .iter()
                .map(|(chain, blob)| (format!("{}/layer.tar", chain.hex()), format!("../{}", path(blob)))),
        );
    }
    links.into_iter().collect()
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(io::Error::other)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn image(names: &[&str]) -> Described {
        let digest = |text: &str| Digest::of(text.as_bytes());
        Described {
            id: ImageId(digest("config")),
            config: digest("config"),
            names: names.iter().map(|name| Reference::parse(name).unwrap()).collect(),
            platform: Platform::new("linux", "amd64", ""),
            layers: vec![(ChainId(digest("chain")), digest("blob"))],
            manifest: Descriptor::of(media::OCI_MANIFEST, b"manifest"),
        }
    }

    #[test]
    fn names_are_told_to_every_reader() {
        let images = [image(&["busybox", "h:5000/a/b:t"])];
        let index: Index = serde_json::from_slice(&index(&images).unwrap()).unwrap();
        let names: Vec<_> = index.manifests.iter().map(|entry| entry.annotation(IMAGE_NAME).unwrap()).collect();
        assert_eq!(names, ["docker.io/library/busybox:latest", "h:5000/a/b:t"]);
        assert_eq!(index.manifests[1].annotation(REF_NAME), Some("t"));
        let text = String::from_utf8(manifest(&images).unwrap()).unwrap();
        assert!(text.contains(r#""RepoTags":["busybox:latest","h:5000/a/b:t"]"#), "{text}");
        let chain = Digest::of(b"chain");
        let text = String::from_utf8(repositories(&images).unwrap().unwrap()).unwrap();
        assert_eq!(text, format!(r#"{{"busybox":{{"latest":"{0}"}},"h:5000/a/b":{{"t":"{0}"}}}}"#, chain.hex()));
    }

    #[test]
    fn an_image_without_a_name_has_none_anywhere() {
        let images = [image(&[])];
        assert!(repositories(&images).unwrap().is_none());
        assert!(String::from_utf8(manifest(&images).unwrap()).unwrap().contains(r#""RepoTags":null"#));
        let index: Index = serde_json::from_slice(&index(&images).unwrap()).unwrap();
        assert_eq!(index.manifests.len(), 1);
        assert!(index.manifests[0].annotations.is_none());
    }
}
