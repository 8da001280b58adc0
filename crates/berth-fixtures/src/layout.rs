//! Images written as an OCI image layout (image-spec v1.1, "Image Layout Specification").

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A layout being written.
#[derive(Debug)]
pub struct Layout {
    root: PathBuf,
    manifests: Vec<Value>,
}

/// How a layer travels.
#[derive(Debug, Clone, Copy)]
pub enum Packing {
    /// RFC 1952
    Gzip,
    /// RFC 8878
    Zstd,
    /// As it is
    Plain,
}

/// One image: layers from the bottom up, and what its configuration adds.
#[derive(Debug)]
pub struct Image<'a> {
    /// Uncompressed archives, the base first
    pub layers: &'a [Vec<u8>],
    /// The configuration's `config` object
    pub config: Value,
    /// As in a platform
    pub os: &'a str,
    /// As in a platform
    pub architecture: &'a str,
    /// How its layers are packed
    pub packing: Packing,
}

impl<'a> Image<'a> {
    /// For this host, with gzip layers.
    #[must_use]
    pub fn new(layers: &'a [Vec<u8>], config: Value) -> Self {
        Self { layers, config, os: "linux", architecture: host_architecture(), packing: Packing::Gzip }
    }
}

/// This host's architecture, as platforms spell it.
#[must_use]
pub fn host_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

impl Layout {
    /// An empty layout at `root`.
    #[must_use]
    pub fn create(root: &Path) -> Self {
        fs::create_dir_all(root.join("blobs/sha256")).unwrap();
        fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { root: root.to_owned(), manifests: Vec::new() }
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(self.root.join("blobs/sha256").join(&hex), bytes).unwrap();
        json!({"mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len()})
    }

    fn manifest(&self, image: &Image) -> Value {
        let packed = image.layers.iter().map(|tar| self.layer(tar, image.packing)).collect();
        self.manifest_of(image.os, image.architecture, &image.config, packed)
    }

    /// An uncompressed archive as a blob: its diff id, and what describes the blob.
    fn layer(&self, tar: &[u8], packing: Packing) -> (String, Value) {
        let diff_id = format!("sha256:{:x}", HexBytes(&Sha256::digest(tar)));
        let (suffix, bytes) = match packing {
            Packing::Gzip => ("+gzip", gzip(tar)),
            Packing::Zstd => ("+zstd", zstd::encode_all(tar, 3).unwrap()),
            Packing::Plain => ("", tar.to_vec()),
        };
        (diff_id, self.blob(&format!("application/vnd.oci.image.layer.v1.tar{suffix}"), &bytes))
    }

    fn manifest_of(&self, os: &str, architecture: &str, config: &Value, packed: Vec<(String, Value)>) -> Value {
        let (diff_ids, layers): (Vec<String>, Vec<Value>) = packed.into_iter().unzip();
        let history: Vec<Value> = layers.iter().map(|_| json!({"created_by": "a fixture"})).collect();
        let config = json!({
            "created": "2026-01-02T03:04:05Z",
            "architecture": architecture,
            "os": os,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
            "layers": layers,
        });
        let mut entry = self.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
        entry["platform"] = json!({"os": os, "architecture": architecture});
        entry
    }

    fn name(&mut self, name: &str, mut entry: Value) {
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.manifests.push(entry);
    }

    /// One name for one image.
    pub fn image(&mut self, name: &str, image: &Image) {
        let mut entry = self.manifest(image);
        entry.as_object_mut().unwrap().remove("platform");
        self.name(name, entry);
    }

    /// One name for one image of this host, of which no more than one layer is in memory.
    pub fn streamed(&mut self, name: &str, config: &Value, layers: impl Iterator<Item = Vec<u8>>) {
        let packed = layers.map(|tar| self.layer(&tar, Packing::Gzip)).collect();
        let mut entry = self.manifest_of("linux", host_architecture(), config, packed);
        entry.as_object_mut().unwrap().remove("platform");
        self.name(name, entry);
    }

    /// One name for several platforms.
    pub fn index(&mut self, name: &str, images: &[Image]) {
        let manifests: Vec<Value> = images.iter().map(|image| self.manifest(image)).collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        let entry = self.blob(media_type, index.to_string().as_bytes());
        self.name(name, entry);
    }

    /// Writes the index; without it, no name is known.
    pub fn finish(self) {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        fs::write(self.root.join("index.json"), index.to_string()).unwrap();
    }
}

struct HexBytes<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexBytes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
