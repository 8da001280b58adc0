//! Images as the API shows them.

use std::collections::{BTreeMap, HashMap, HashSet};

use berth_api::image::{
    Descriptor, ImageInspect, ImageMetadata, ImageSummary, ManifestImage, ManifestSize, ManifestSummary, Platform,
    RootFs, UnpackedSize,
};
use berth_api::inspect::GraphDriver;
use berth_image::Image;
use berth_oci::ImageId;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::time;

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// When it was made; images that do not say were made in 1970.
pub(crate) fn created(image: &Image) -> Timestamp {
    image.created().parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What is told of images besides themselves: who stands on them, and what they were made of.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Ids of containers, by their image's id.
    containers: BTreeMap<String, Vec<String>>,
    parents: HashMap<ImageId, ImageId>,
    bases: HashSet<ImageId>,
}

impl Surroundings {
    /// `containers`: an image's id and a container's.
    pub(crate) fn new(containers: impl Iterator<Item = (String, String)>, parents: HashMap<ImageId, ImageId>) -> Self {
        let mut by_image: BTreeMap<String, Vec<String>> = BTreeMap::new();
        containers.for_each(|(image, container)| by_image.entry(image).or_default().push(container));
        let bases = parents.values().cloned().collect();
        Self { containers: by_image, parents, bases }
    }

    /// Others were made of it.
    pub(crate) fn is_base(&self, image: &Image) -> bool {
        self.bases.contains(&image.id)
    }

    /// The containers that stand on it.
    fn containers(&self, image: &Image) -> &[String] {
        self.containers.get(image.id.as_str()).map_or(&[], Vec::as_slice)
    }

    /// One line of the list.
    pub(crate) fn summary(&self, image: &Image) -> ImageSummary {
        let parent = self.parents.get(&image.id).map(ToString::to_string).unwrap_or_default();
        ImageSummary { parent_id: parent, ..summary(image, self.containers(image).len()) }
    }

    /// The image as one of those that its name stands for; `content`: bytes of its blobs.
    pub(crate) fn manifest(&self, image: &Image, content: u64) -> ManifestSummary {
        let platform = image.platform();
        ManifestSummary {
            id: image.manifest.digest.to_string(),
            descriptor: descriptor(&image.manifest),
            available: true,
            size: ManifestSize { content: number(content), total: number(content.saturating_add(image.size)) },
            kind: "image".to_owned(),
            image_data: Some(ManifestImage {
                platform: Platform { architecture: platform.architecture, os: platform.os, variant: platform.variant },
                containers: self.containers(image).to_vec(),
                size: UnpackedSize { unpacked: number(image.size) },
            }),
        }
    }
}

/// One line of the list; so many `containers` stand on it.
fn summary(image: &Image, containers: usize) -> ImageSummary {
    ImageSummary {
        containers: i64::try_from(containers).unwrap_or(i64::MAX),
        created: created(image).as_second(),
        id: image.id.to_string(),
        labels: Some(image.config.labels()),
        descriptor: Some(descriptor(&image.manifest)),
        repo_digests: image.repo_digests.clone(),
        repo_tags: image.repo_tags.clone(),
        shared_size: -1,
        size: number(image.size),
        ..ImageSummary::default()
    }
}

/// What a document says of another.
pub(crate) fn descriptor(manifest: &berth_oci::Descriptor) -> Descriptor {
    Descriptor {
        media_type: manifest.media_type.clone(),
        digest: manifest.digest.to_string(),
        size: number(manifest.size),
        annotations: manifest.annotations.clone().unwrap_or_default(),
        platform: manifest.platform.as_ref().map(|platform| Platform {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
        }),
    }
}

/// `GET /images/{name}/json`, in the newest form; with `old`, what it lost in 1.45 is there too.
pub(crate) fn inspect(image: &Image, parent: Option<&ImageId>, driver: &str, old: bool) -> ImageInspect {
    let config = &image.config;
    let extra = |name: &str| config.extra.get(name).filter(|_| old);
    let said = |name: &str| config.extra.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tagged = Timestamp::from_second(image.tagged_at).ok().filter(|_| image.tagged_at != 0);
    ImageInspect {
        id: image.id.to_string(),
        repo_tags: image.repo_tags.clone(),
        repo_digests: image.repo_digests.clone(),
        created: image.created().to_owned(),
        author: config.author.clone(),
        parent: parent.map(ToString::to_string).unwrap_or_default(),
        comment: match said("comment") {
            none if none.is_empty() => config.history.last().map(|step| step.comment.clone()).unwrap_or_default(),
            comment => comment,
        },
        container: extra("container").and_then(Value::as_str).map(str::to_owned),
        container_config: extra("container_config").cloned(),
        docker_version: said("docker_version"),
        config: Some(container_defaults(&config.config)),
        architecture: config.architecture.clone(),
        variant: config.variant.clone(),
        os: config.os.clone(),
        os_version: config.os_version.clone(),
        size: number(image.size),
        graph_driver: GraphDriver { data: None, name: driver.to_owned() },
        root_fs: RootFs {
            kind: "layers".to_owned(),
            layers: config.rootfs.diff_ids.iter().map(ToString::to_string).collect(),
        },
        metadata: ImageMetadata { last_tag_time: time::text(tagged) },
        descriptor: Some(descriptor(&image.manifest)),
        ..ImageInspect::default()
    }
}

/// The configuration with the keys that Docker always writes.
fn container_defaults(config: &berth_oci::ContainerConfig) -> Map<String, Value> {
    let mut map = match serde_json::to_value(config) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    for name in ["Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes"] {
        map.entry(name).or_insert(Value::Null);
    }
    for name in ["User", "WorkingDir"] {
        map.entry(name).or_insert_with(|| Value::String(String::new()));
    }
    map
}
