//! The rows of `system df`, from the daemon's answer.

use berth_api::image::ImageSummary;
use berth_api::volume::Volume;
use berth_api::{ContainerSummary, decode};
use berth_template::Value;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::cmd::images::{self, View};
use crate::cmd::ps::row;
use crate::cmd::volume;
use crate::unit::size;

/// The entries of a list that can be read.
fn list<T: DeserializeOwned>(usage: &Json, name: &str) -> Vec<T> {
    let entries = usage.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
    entries.into_iter().filter_map(|entry| decode::from_value(entry).ok()).collect()
}

fn number(entry: &Json, name: &str) -> i64 {
    entry.get(name).and_then(Json::as_i64).unwrap_or(0)
}

fn text<'a>(entry: &'a Json, name: &str) -> &'a str {
    entry.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// One kind of thing.
struct Total {
    kind: &'static str,
    count: usize,
    active: usize,
    size: i64,
    reclaimable: i64,
}

impl Total {
    fn row(&self) -> Value {
        let mut reclaimable = size::human4(self.reclaimable);
        if self.size > 0 && self.kind != "Build Cache" {
            reclaimable = format!("{reclaimable} ({}%)", self.reclaimable * 100 / self.size);
        }
        record(vec![
            ("Active", self.active.to_string()),
            ("Reclaimable", reclaimable),
            ("Size", size::human4(self.size)),
            ("TotalCount", self.count.to_string()),
            ("Type", self.kind.to_owned()),
        ])
    }
}

fn record(fields: Vec<(&'static str, String)>) -> Value {
    let members = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
    Value::record("*formatter.diskUsageImagesContext", members)
}

fn map(fields: &[(&str, &str)]) -> Value {
    crate::format::headings(fields.iter().copied())
}

/// A line a kind.
pub(super) fn totals(usage: &Json) -> Vec<Value> {
    [images_total(usage), containers_total(usage), volumes_total(usage), caches_total(usage)]
        .iter()
        .map(Total::row)
        .collect()
}

pub(super) fn total_headings() -> Value {
    map(&[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ])
}

fn images_total(usage: &Json) -> Total {
    let images: Vec<ImageSummary> = list(usage, "Images");
    let size = number(usage, "LayersSize");
    let active = images.iter().filter(|image| image.containers > 0);
    let used: i64 = active.clone().map(|image| image.size - image.shared_size.max(0)).sum();
    Total { kind: "Images", count: images.len(), active: active.count(), size, reclaimable: (size - used).max(0) }
}

fn containers_total(usage: &Json) -> Total {
    let containers: Vec<ContainerSummary> = list(usage, "Containers");
    let active =
        |container: &&ContainerSummary| matches!(container.state.as_str(), "running" | "paused" | "restarting");
    let written = |container: &ContainerSummary| container.size_rw;
    Total {
        kind: "Containers",
        count: containers.len(),
        active: containers.iter().filter(active).count(),
        size: containers.iter().map(written).sum(),
        reclaimable: containers.iter().filter(|container| !active(container)).map(written).sum(),
    }
}

/// Bytes and links of a volume.
fn volume_usage(volume: &Json) -> (i64, i64) {
    let usage = volume.get("UsageData").cloned().unwrap_or_default();
    (number(&usage, "Size").max(0), number(&usage, "RefCount").max(0))
}

fn volumes_total(usage: &Json) -> Total {
    let volumes: Vec<Json> = list(usage, "Volumes");
    let of = |wanted: fn(i64) -> bool| volumes.iter().map(volume_usage).filter(move |(_, links)| wanted(*links));
    Total {
        kind: "Local Volumes",
        count: volumes.len(),
        active: of(|links| links > 0).count(),
        size: of(|_| true).map(|(size, _)| size).sum(),
        reclaimable: of(|links| links == 0).map(|(size, _)| size).sum(),
    }
}

fn caches_total(usage: &Json) -> Total {
    let caches: Vec<Json> = list(usage, "BuildCache");
    let in_use = |cache: &&Json| cache.get("InUse").and_then(Json::as_bool).unwrap_or(false);
    let size = |cache: &Json| number(cache, "Size");
    Total {
        kind: "Build Cache",
        count: caches.len(),
        active: caches.iter().filter(in_use).count(),
        size: caches.iter().map(size).sum(),
        reclaimable: caches.iter().filter(|cache| !in_use(cache)).map(size).sum(),
    }
}

/// `short`: for people, who want no whole ids.
pub(super) fn images(usage: &Json, short: bool) -> Vec<Value> {
    let images: Vec<ImageSummary> = list(usage, "Images");
    let view = View { digests: false, truncate: short, now: Timestamp::now() };
    images.iter().map(|image| view.first_row(image)).collect()
}

pub(super) fn image_headings() -> Value {
    images::headings()
}

/// `short`: for people, who want no whole ids.
pub(super) fn containers(usage: &Json, short: bool) -> Vec<Value> {
    let containers: Vec<ContainerSummary> = list(usage, "Containers");
    let now = Timestamp::now();
    // What the image takes up stands beside the image.
    let own = |container| ContainerSummary { size_root_fs: 0, ..container };
    containers.into_iter().map(|container| row::row(own(container), short, now)).collect()
}

pub(super) fn container_headings() -> Value {
    row::headings()
}

pub(super) fn volumes(usage: &Json) -> Vec<Value> {
    let volumes: Vec<Volume> = list(usage, "Volumes");
    volumes.into_iter().map(volume::ls::row).collect()
}

pub(super) fn volume_headings() -> Value {
    map(&[("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")])
}

pub(super) fn cache_title(usage: &Json) -> String {
    format!("Build cache usage: {}", size::human4(caches_total(usage).size))
}

pub(super) fn caches(usage: &Json) -> Vec<Value> {
    let caches: Vec<Json> = list(usage, "BuildCache");
    let row = |cache: &Json| {
        record(vec![
            ("CacheType", text(cache, "Type").to_owned()),
            ("CreatedSince", text(cache, "CreatedAt").to_owned()),
            ("ID", text(cache, "ID").chars().take(12).collect()),
            ("LastUsedSince", text(cache, "LastUsedAt").to_owned()),
            ("Shared", cache.get("Shared").and_then(Json::as_bool).unwrap_or(false).to_string()),
            ("Size", size::human4(number(cache, "Size"))),
            ("UsageCount", number(cache, "UsageCount").to_string()),
        ])
    };
    caches.iter().map(row).collect()
}

pub(super) fn cache_headings() -> Value {
    map(&[
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("CreatedSince", "CREATED"),
        ("LastUsedSince", "LAST USED"),
        ("UsageCount", "USAGE"),
        ("Shared", "SHARED"),
    ])
}

/// Every row of every kind, for `-v --format`.
pub(super) fn everything(usage: &Json) -> Value {
    let members = vec![
        ("Images".to_owned(), Value::list(images(usage, false))),
        ("Containers".to_owned(), Value::list(containers(usage, false))),
        ("Volumes".to_owned(), Value::list(volumes(usage))),
        ("BuildCache".to_owned(), Value::list(caches(usage))),
    ];
    Value::record("*formatter.diskUsageContext", members)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn totals_are_dockers() {
        let usage = serde_json::json!({
            "LayersSize": 1000,
            "Images": [{"Containers": 1, "Size": 400, "SharedSize": 100}, {"Containers": 0, "Size": 700}],
            "Containers": [{"State": "running", "SizeRw": 10}, {"State": "exited", "SizeRw": 30}],
            "Volumes": [{"Name": "v", "UsageData": {"Size": 50, "RefCount": 0}}],
            "BuildCache": null,
        });
        let (images, containers) = (images_total(&usage), containers_total(&usage));
        assert_eq!((images.count, images.active, images.size, images.reclaimable), (2, 1, 1000, 700));
        assert_eq!((containers.count, containers.active, containers.size, containers.reclaimable), (2, 1, 40, 30));
        let volumes = volumes_total(&usage);
        assert_eq!((volumes.active, volumes.size, volumes.reclaimable), (0, 50, 50));
        assert_eq!(caches_total(&usage).count, 0);
    }
}
