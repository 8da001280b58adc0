//! `GET /system/df`: what takes up space.

use std::sync::Arc;

use berth_api::ApiVersion;
use berth_api::disk_usage::DiskUsage;
use berth_api::volume::{Volume, VolumeUsage};
use berth_engine::ContainerView;
use berth_engine::volumes::disk_usage;
use http::StatusCode;

use super::containers;
use crate::daemon::Daemon;
use crate::http::answer::Answer;
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::steps::{self, Object};
use crate::wire::volume;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kinds {
    images: bool,
    containers: bool,
    volumes: bool,
    cache: bool,
}

impl Kinds {
    const ALL: Self = Self { images: true, containers: true, volumes: true, cache: true };

    /// `type=` as often as wanted; clients before 1.42 get everything.
    fn parse(version: ApiVersion, asked: &[&str]) -> Result<Self, ApiError> {
        if version < ApiVersion::new(1, 42) || asked.is_empty() {
            return Ok(Self::ALL);
        }
        let mut kinds = Self { images: false, containers: false, volumes: false, cache: false };
        for kind in asked {
            match *kind {
                "image" => kinds.images = true,
                "container" => kinds.containers = true,
                "volume" => kinds.volumes = true,
                "build-cache" => kinds.cache = true,
                other => return Err(ApiError::invalid(format!("unknown object type: {other}"))),
            }
        }
        Ok(kinds)
    }
}

/// `GET /system/df`
pub(crate) async fn usage(call: Call) -> Result<Answer, ApiError> {
    let kinds = Kinds::parse(call.version, &call.query.all("type"))?;
    let daemon = call.daemon.clone();
    let counted = tokio::task::spawn_blocking(move || count(&daemon, kinds)).await;
    let usage = counted.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(steps::json(call.version, Object::DiskUsage, StatusCode::OK, &usage))
}

fn count(daemon: &Daemon, kinds: Kinds) -> Result<DiskUsage, ApiError> {
    let mut usage = DiskUsage::default();
    let views = daemon.engine.containers().list();
    if kinds.images {
        let counted = daemon.images.usage()?;
        let around = super::images::surroundings(daemon)?;
        // Compressed blobs beside the layers take up disk as well; `images` shows what is mounted.
        usage.layers_size = number(counted.layers + counted.blobs + counted.unfinished);
        // Those that others were made of and that have no name are in the list of all images only.
        let shown = counted.images.iter().filter(|used| used.image.is_named() || !around.is_base(&used.image));
        let lines = shown.map(|used| {
            let mut line = around.summary(&used.image);
            line.size += number(used.blobs);
            line.shared_size = number(used.shared + used.shared_blobs);
            line
        });
        usage.images = Some(lines.collect());
    }
    if kinds.containers {
        let lines = containers::summaries(daemon, &views, true).zip(&views).map(|(mut line, view)| {
            // Removing it frees its logs too.
            let beside = beside(view);
            line.size_rw += beside;
            line.size_root_fs += beside;
            line
        });
        usage.containers = Some(lines.collect());
    }
    if kinds.volumes {
        let line = |(found, size): &(berth_engine::VolumeView, u64)| {
            let ref_count = i64::try_from(found.containers.len()).unwrap_or(i64::MAX);
            Volume { usage_data: Some(VolumeUsage { ref_count, size: number(*size) }), ..volume::shown(found) }
        };
        usage.volumes = Some(daemon.engine.volumes().usage()?.iter().map(line).collect());
    }
    if kinds.cache {
        usage.build_cache = Some(Vec::new());
    }
    Ok(usage)
}

/// Bytes in a container's directory outside its writable layer: its logs, most of all.
fn beside(view: &Arc<ContainerView>) -> i64 {
    let layer = disk_usage(&view.paths.upper) + disk_usage(&view.paths.work);
    number(disk_usage(&view.paths.directory).saturating_sub(layer))
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let new = ApiVersion::MAX;
        assert_eq!(Kinds::parse(new, &[]).unwrap(), Kinds::ALL);
        let two = Kinds::parse(new, &["image", "volume"]).unwrap();
        assert_eq!((two.images, two.containers, two.volumes, two.cache), (true, false, true, false));
        assert_eq!(Kinds::parse(new, &["x"]).unwrap_err().message, "unknown object type: x");
        assert_eq!(Kinds::parse(ApiVersion::new(1, 41), &["x"]).unwrap(), Kinds::ALL);
    }
}
