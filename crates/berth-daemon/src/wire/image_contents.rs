//! What is in images, as the API shows it.

use berth_api::image_contents::{
    DuplicateFile, ExplainedDirectory, ExplainedLayer, FileCopy, FileDifference, ImageDifference, ImageExplanation,
    SettingDifference, WastedFile,
};
use berth_image::{Aspect, Difference, Differing, Explanation, How, Image};

/// `GET /images/{name}/explain`; directories no deeper than so many levels below the root.
pub(crate) fn explanation(image: &Image, found: Explanation, depth: usize) -> ImageExplanation {
    let level = |path: &str| path.split('/').filter(|part| !part.is_empty()).count();
    let layers = found.layers.into_iter().enumerate().map(|(index, layer)| ExplainedLayer {
        index,
        diff_id: layer.diff_id.to_string(),
        created_by: layer.created_by,
        size: layer.size,
        wasted: layer.wasted,
        files: layer.files,
        added: layer.added,
        changed: layer.changed,
        removed: layer.removed,
    });
    let directories = found.directories.into_iter().filter(|directory| level(&directory.path) <= depth);
    let duplicates: Vec<DuplicateFile> = found.duplicates.into_iter().map(duplicate).collect();
    ImageExplanation {
        id: image.id.to_string(),
        layers: layers.collect(),
        total_size: found.total,
        seen_size: found.seen,
        wasted_size: found.total.saturating_sub(found.seen),
        duplicate_size: duplicates.iter().map(|duplicate| duplicate.extra).sum(),
        directories: directories
            .map(|d| ExplainedDirectory { path: d.path, size: d.size, files: d.files, by_layer: d.by_layer })
            .collect(),
        wasted: found.wasted.into_iter().map(wasted).collect(),
        duplicates,
    }
}

fn duplicate(found: berth_image::Duplicate) -> DuplicateFile {
    DuplicateFile {
        size: found.size,
        extra: found.size.saturating_mul(found.copies.len().saturating_sub(1) as u64),
        digest: found.content.to_string(),
        copies: found.copies.into_iter().map(|(layer, path)| FileCopy { layer, path }).collect(),
    }
}

fn wasted(found: berth_image::Wasted) -> WastedFile {
    let how = match found.how {
        How::Overwritten => "overwritten",
        How::Deleted => "deleted",
    };
    WastedFile { path: found.path, size: found.size, layer: found.layer, by: found.by, how: how.to_owned() }
}

/// `GET /images/{name}/diff`
pub(crate) fn difference(from: &Image, to: &Image, found: Difference) -> ImageDifference {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let config = found.config.into_iter().map(|setting| SettingDifference {
        name: setting.name,
        before: setting.before.unwrap_or_default(),
        after: setting.after.unwrap_or_default(),
    });
    ImageDifference {
        from: from.id.to_string(),
        to: to.id.to_string(),
        common_layers: found.common_layers,
        size_change: signed(found.seen.1) - signed(found.seen.0),
        config: config.collect(),
        files: found.files.into_iter().map(file).collect(),
    }
}

fn file(found: Differing) -> FileDifference {
    let kind = match (found.before, found.after) {
        (None, _) => "A",
        (_, None) => "D",
        _ => "C",
    };
    let aspects = found.aspects.iter().map(|aspect| match aspect {
        Aspect::Kind => "kind",
        Aspect::Content => "content",
        Aspect::Target => "target",
        Aspect::Mode => "mode",
        Aspect::Owner => "owner",
        Aspect::Xattrs => "xattrs",
    });
    FileDifference {
        kind: kind.to_owned(),
        aspects: aspects.map(str::to_owned).collect(),
        path: found.path,
        before: found.before,
        after: found.after,
    }
}
