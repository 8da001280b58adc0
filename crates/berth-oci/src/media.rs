//! Media types of manifests, configurations and layers: OCI's, and Docker's before them.

/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI layer, uncompressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI layer, gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI layer, zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest, schema 1: refused.
pub const DOCKER_MANIFEST_V1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker manifest, schema 1 with signatures: refused.
pub const DOCKER_MANIFEST_V1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker layer, gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer, uncompressed.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker layer that is to be had elsewhere: refused.
pub const DOCKER_LAYER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// Everything a manifest request accepts, most wanted first.
pub const MANIFEST_ACCEPT: &[&str] = &[OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

/// A media type without its parameters (`; charset=…`), lower-cased by nobody: registries write them as they are.
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a configuration of this type describes something that can run.
pub fn is_image_config(media_type: &str) -> bool {
    // Builders before OCI wrote octet-stream or nothing.
    matches!(essence(media_type), OCI_CONFIG | DOCKER_CONFIG | "application/octet-stream" | "")
}

/// Whether a layer of this type may not be fetched from the registry (Windows base layers).
pub fn is_foreign_layer(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == DOCKER_LAYER_FOREIGN || essence.starts_with("application/vnd.oci.image.layer.nondistributable")
}

/// Whether this is a file-system layer in a form that can be unpacked.
pub fn is_layer(media_type: &str) -> bool {
    let essence = essence(media_type);
    is_foreign_layer(essence)
        || essence.starts_with(OCI_LAYER)
        || essence.starts_with(DOCKER_LAYER)
        || essence.starts_with("application/vnd.docker.image.rootfs.diff.tar")
}
