//! The images that tests pull, made from Debian's packages and written as an OCI image layout.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An OCI image layout being written (image-spec v1.1, "Image Layout Specification").
pub(crate) struct Layout {
    root: PathBuf,
    manifests: Vec<Value>,
}

/// How a layer travels.
#[derive(Clone, Copy)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
    Plain,
}

/// One image: layers from the bottom up, and what its configuration adds.
pub(crate) struct Image<'a> {
    pub(crate) layers: &'a [Vec<u8>],
    pub(crate) config: Value,
    pub(crate) os: &'a str,
    pub(crate) architecture: &'a str,
    pub(crate) packing: Packing,
}

impl<'a> Image<'a> {
    pub(crate) fn new(layers: &'a [Vec<u8>], config: Value) -> Self {
        Self { layers, config, os: "linux", architecture: host_architecture(), packing: Packing::Gzip }
    }
}

pub(crate) fn host_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

impl Layout {
    pub(crate) fn create(root: &Path) -> Self {
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
        let mut diff_ids = Vec::new();
        let mut layers = Vec::new();
        for tar in image.layers {
            diff_ids.push(format!("sha256:{:x}", HexBytes(&Sha256::digest(tar))));
            let (suffix, bytes) = match image.packing {
                Packing::Gzip => ("+gzip", gzip(tar)),
                Packing::Zstd => ("+zstd", zstd::encode_all(tar.as_slice(), 3).unwrap()),
                Packing::Plain => ("", tar.clone()),
            };
            layers.push(self.blob(&format!("application/vnd.oci.image.layer.v1.tar{suffix}"), &bytes));
        }
        let history: Vec<Value> = image.layers.iter().map(|_| json!({"created_by": "a fixture"})).collect();
        let config = json!({
            "created": "2026-01-02T03:04:05Z",
            "architecture": image.architecture,
            "os": image.os,
            "config": image.config,
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
        entry["platform"] = json!({"os": image.os, "architecture": image.architecture});
        entry
    }

    fn name(&mut self, name: &str, mut entry: Value) {
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.manifests.push(entry);
    }

    pub(crate) fn image(&mut self, name: &str, image: &Image) {
        let mut entry = self.manifest(image);
        entry.as_object_mut().unwrap().remove("platform");
        self.name(name, entry);
    }

    /// One name for several platforms.
    pub(crate) fn index(&mut self, name: &str, images: &[Image]) {
        let manifests: Vec<Value> = images.iter().map(|image| self.manifest(image)).collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
        let entry = self.blob(media_type, index.to_string().as_bytes());
        self.name(name, entry);
    }

    pub(crate) fn finish(self) {
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

/// What a layer holds.
pub(crate) enum Entry<'a> {
    File(&'a str, u32, Vec<u8>),
    Dir(&'a str, u32),
    Link(String, &'a str),
}

/// An uncompressed layer.
pub(crate) fn layer(entries: Vec<Entry>) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind: tar::EntryType, mode: u32, size: usize| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header
    };
    for entry in entries {
        match entry {
            Entry::File(path, mode, bytes) => {
                let mut header = header(tar::EntryType::Regular, mode, bytes.len());
                archive.append_data(&mut header, path, bytes.as_slice()).unwrap();
            }
            Entry::Dir(path, mode) => {
                archive.append_data(&mut header(tar::EntryType::Directory, mode, 0), path, &[][..]).unwrap();
            }
            Entry::Link(path, target) => {
                archive.append_link(&mut header(tar::EntryType::Symlink, 0o777, 0), path, target).unwrap();
            }
        }
    }
    archive.into_inner().unwrap()
}

/// Debian's static busybox with its applets, two users, and the directories that programs expect.
pub(crate) fn busybox_layer() -> Vec<u8> {
    let busybox = fs::read("/bin/busybox").expect("Debian's busybox-static is installed");
    let applets = Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
    let mut entries = vec![
        Entry::Dir("bin", 0o755),
        Entry::Dir("etc", 0o755),
        Entry::Dir("root", 0o700),
        Entry::Dir("home/web", 0o755),
        Entry::Dir("tmp", 0o1777),
        Entry::File("bin/busybox", 0o755, busybox),
        Entry::File(
            "etc/passwd",
            0o644,
            b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home/web:/bin/sh\n".to_vec(),
        ),
        Entry::File("etc/group", 0o644, b"root:x:0:\nweb:x:1000:\nstaff:x:50:web\n".to_vec()),
    ];
    let applets = String::from_utf8(applets).unwrap();
    let names = applets.lines().filter(|name| *name != "busybox");
    entries.extend(names.map(|name| Entry::Link(format!("bin/{name}"), "busybox")));
    layer(entries)
}

/// A small Debian, cached between runs: making one takes most of a minute.
///
/// Several layers, as images in the wild have: the base, then files that replace, add and delete some of it.
pub(crate) fn debian_layers(cache: &Path) -> Vec<Vec<u8>> {
    let tar = cache.join("debian.tar");
    if !tar.exists() {
        let root = cache.join("debian");
        drop(fs::remove_dir_all(&root));
        command("debootstrap", &["--variant=minbase", "bookworm", root.to_str().unwrap()]);
        let partial = cache.join("debian.tar.partial");
        let root = root.to_str().unwrap();
        command("tar", &["-C", root, "--exclude=./var/cache/apt/*", "-cf", partial.to_str().unwrap(), "."]);
        fs::remove_dir_all(root).unwrap();
        fs::rename(partial, &tar).unwrap();
    }
    let second = layer(vec![
        Entry::File("etc/motd", 0o644, b"a fixture\n".to_vec()),
        Entry::File("etc/.wh.issue", 0o644, Vec::new()),
        Entry::File("usr/share/doc/.wh..wh..opq", 0o644, Vec::new()),
    ]);
    let third = layer(vec![Entry::Dir("srv/app", 0o755), Entry::File("srv/app/run", 0o755, b"#!/bin/sh\n".to_vec())]);
    vec![fs::read(tar).unwrap(), second, third]
}

#[track_caller]
pub(crate) fn command(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?} failed: {text}");
}
