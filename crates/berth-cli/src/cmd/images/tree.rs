//! `images --tree`: each image with the images that its name stands for, one a platform.

use berth_api::image::{ImageSummary, ManifestSummary};

use crate::table;
use crate::unit::size;

/// The whole listing, newest first as it came.
pub(super) fn render(images: &[ImageSummary]) -> String {
    let mut lines = vec![["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA"].join("\t")];
    for image in images {
        lines.extend(entry(image));
    }
    let (any, out) = (images.iter().any(in_use), table::align(&(lines.join("\n") + "\n")));
    if any { format!("{out}\nU: in use by a container\n") } else { out }
}

fn entry(image: &ImageSummary) -> Vec<String> {
    let manifests = image.manifests.as_deref().unwrap_or_default();
    // Attestations and the like are no images.
    let images: Vec<&ManifestSummary> = manifests.iter().filter(|manifest| manifest.image_data.is_some()).collect();
    let content = manifests.iter().map(|manifest| manifest.size.content).sum();
    let mut names: Vec<&str> =
        image.repo_tags.iter().map(String::as_str).filter(|name| *name != "<none>:<none>").collect();
    let last = names.pop().unwrap_or("<untagged>");
    let mut lines: Vec<String> = names.into_iter().map(str::to_owned).collect();
    lines.push(row(last, &image.id, image.size, content, in_use(image)));
    for (n, manifest) in images.iter().enumerate() {
        let branch = if n + 1 == images.len() { "└─" } else { "├─" };
        let Some(data) = &manifest.image_data else { continue };
        let platform = [&data.platform.os, &data.platform.architecture, &data.platform.variant];
        let parts: Vec<&str> = platform.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let name = format!("{branch} {}", parts.join("/"));
        lines.push(row(&name, &manifest.id, manifest.size.total, manifest.size.content, !data.containers.is_empty()));
    }
    lines
}

fn in_use(image: &ImageSummary) -> bool {
    image.containers > 0
}

fn row(name: &str, id: &str, total: i64, content: i64, used: bool) -> String {
    let id: String = id.trim_start_matches("sha256:").chars().take(12).collect();
    let (total, content) = (size::human3(total), size::human3(content));
    format!("{name}\t{id}\t{total}\t{content}\t{}", if used { "U" } else { "" })
}

#[cfg(test)]
mod tests {
    use berth_api::image::{ManifestImage, ManifestSize, Platform};

    use super::*;

    #[test]
    fn names_and_platforms() {
        let manifest = |architecture: &str, containers: &[&str]| ManifestSummary {
            id: "sha256:0123456789abcdef".into(),
            size: ManifestSize { content: 1000, total: 3000 },
            image_data: Some(ManifestImage {
                platform: Platform { os: "linux".into(), architecture: architecture.into(), variant: String::new() },
                containers: containers.iter().map(|id| (*id).to_owned()).collect(),
                ..ManifestImage::default()
            }),
            ..ManifestSummary::default()
        };
        let image = ImageSummary {
            id: "sha256:fedcba9876543210".into(),
            repo_tags: vec!["a:1".into(), "b:2".into()],
            size: 2000,
            containers: 1,
            manifests: Some(vec![manifest("amd64", &["c"]), manifest("arm64", &[])]),
            ..ImageSummary::default()
        };
        let text = render(&[image, ImageSummary::default()]);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split("  ").filter(|c| !c.trim().is_empty()).map(str::trim).collect())
            .collect();
        assert_eq!(lines[1], ["a:1"]);
        assert_eq!(lines[2], ["b:2", "fedcba987654", "2kB", "2kB", "U"]);
        assert_eq!(lines[3], ["├─ linux/amd64", "0123456789ab", "3kB", "1kB", "U"]);
        assert_eq!(lines[4], ["└─ linux/arm64", "0123456789ab", "3kB", "1kB"]);
        assert_eq!(lines[5], ["<untagged>", "0B", "0B"]);
        assert!(text.ends_with("U: in use by a container\n"), "{text}");
    }
}
