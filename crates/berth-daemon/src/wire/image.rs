//! Images as the API shows them.

use std::collections::BTreeMap;

use berth_api::Filters;
use berth_api::image::{Descriptor, ImageInspect, ImageMetadata, ImageSummary, Platform, RootFs};
use berth_api::inspect::GraphDriver;
use berth_image::Image;
use jiff::Timestamp;
use regex_lite::Regex;
use serde_json::{Map, Value};

use super::time;
use crate::http::error::ApiError;

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// When it was made; images that do not say were made in 1970.
pub(crate) fn created(image: &Image) -> Timestamp {
    image.created().parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// One line of the list; `containers` stand on it.
pub(crate) fn summary(image: &Image, containers: usize) -> ImageSummary {
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

fn descriptor(manifest: &berth_oci::Descriptor) -> Descriptor {
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

/// `GET /images/{name}/json`, in the newest form.
pub(crate) fn inspect(image: &Image, driver: &str) -> ImageInspect {
    let config = &image.config;
    let tagged = Timestamp::from_second(image.tagged_at).ok().filter(|_| image.tagged_at != 0);
    ImageInspect {
        id: image.id.to_string(),
        repo_tags: image.repo_tags.clone(),
        repo_digests: image.repo_digests.clone(),
        created: image.created().to_owned(),
        author: config.author.clone(),
        comment: config.history.last().map(|step| step.comment.clone()).unwrap_or_default(),
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

/// Filters of the image list, parsed.
#[derive(Debug)]
pub(crate) struct Wanted {
    filters: Filters,
    dangling: Option<bool>,
    until: Option<Timestamp>,
    references: Vec<Regex>,
    before: Option<Timestamp>,
    since: Option<Timestamp>,
}

impl Wanted {
    /// Checks keys and values; `find` looks an image up by name.
    pub(crate) fn parse(filters: Filters, find: impl Fn(&str) -> Result<Image, ApiError>) -> Result<Self, ApiError> {
        const KEYS: [&str; 6] = ["before", "dangling", "label", "reference", "since", "until"];
        if let Some(key) = filters.keys().find(|key| !KEYS.contains(key)) {
            return Err(ApiError::invalid(format!("invalid filter '{key}'")));
        }
        let dangling = match filters.get("dangling").next() {
            None => None,
            Some("true" | "1" | "t") => Some(true),
            Some("false" | "0" | "f") => Some(false),
            Some(other) => return Err(ApiError::invalid(format!("invalid filter 'dangling=[{other}]'"))),
        };
        let of = |key: &str| filters.get(key).next().map(|name| find(name).map(|image| created(&image))).transpose();
        let (before, since) = (of("before")?, of("since")?);
        let until = filters.get("until").next().map(time::bound).transpose()?.flatten();
        let references = filters.get("reference").map(glob).collect::<Result<_, _>>()?;
        Ok(Self { filters, dangling, until, references, before, since })
    }

    /// An image passes every filter.
    pub(crate) fn allows(&self, image: &Image) -> bool {
        let created = created(image);
        self.dangling.is_none_or(|dangling| dangling == image.repo_tags.is_empty())
            && self.before.is_none_or(|before| created < before)
            && self.since.is_none_or(|since| created > since)
            && self.until.is_none_or(|until| created < until)
            && self.filters.allows_labels("label", &image.config.labels())
    }

    /// The names that pass `reference`; an image without any left is not shown.
    pub(crate) fn narrow(&self, summary: &mut ImageSummary) -> bool {
        if self.references.is_empty() {
            return true;
        }
        let matches = |name: &String| {
            let bare = name.split('@').next().unwrap_or(name);
            let untagged =
                bare.rsplit_once(':').map_or(bare, |(name, tag)| if tag.contains('/') { bare } else { name });
            self.references.iter().any(|glob| [name.as_str(), bare, untagged].iter().any(|text| glob.is_match(text)))
        };
        summary.repo_tags.retain(matches);
        summary.repo_digests.retain(matches);
        !summary.repo_tags.is_empty() || !summary.repo_digests.is_empty()
    }
}

/// Go's `path.Match` as a regular expression: `*` and `?` stop at slashes.
fn glob(pattern: &str) -> Result<Regex, ApiError> {
    let mut text = String::from("^");
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => text.push_str("[^/]*"),
            '?' => text.push_str("[^/]"),
            '[' | ']' | '^' | '-' => text.push(letter),
            '\\' => {
                let escaped = letters.next().unwrap_or('\\');
                text.push_str(&regex_lite::escape(escaped.encode_utf8(&mut [0; 4])));
            }
            other => text.push_str(&regex_lite::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    text.push('$');
    Regex::new(&text).map_err(|_| ApiError::invalid(format!("invalid filter 'reference={pattern}'")))
}

/// How many containers stand on each image.
pub(crate) fn count<'a>(images: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for image in images {
        *counts.entry(image).or_insert(0) += 1;
    }
    counts
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn globs_stop_at_slashes() {
        for (pattern, name, fits) in [
            ("*:latest", "busybox:latest", true),
            ("*:latest", "a/busybox:latest", false),
            ("*/*/*", "127.0.0.1:5999/team/ftbox", true),
            ("ft[a-c]x", "ftbx", true),
            ("a.b", "axb", false),
            ("a?", "ab", true),
        ] {
            assert_eq!(glob(pattern).unwrap().is_match(name), fits, "{pattern} {name}");
        }
    }
}
