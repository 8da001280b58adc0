//! Makes the embedded image: compiles `program/hello.rs` and wraps it as an OCI image layout in a tar archive.
//!
//! The image is ordinary: one gzip layer, a configuration, a manifest and an index, addressed by their
//! digests (image-spec v1.1, "Image Layout Specification"). Times are zero, so the same compiler makes the same
//! image.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const REFERENCE: &str = "docker.io/berth/hello:latest";

fn main() {
    println!("cargo::rerun-if-changed=program/hello.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let program = out.join("hello");
    compile(&program);
    let archive = layout(&fs::read(&program).expect("the program was just compiled"));
    fs::write(out.join("hello.oci.tar"), archive).expect("OUT_DIR is writable");
}

fn compile(program: &Path) {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let status = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"))
        .args(["--edition", "2024", "--crate-name", "hello", "--target", &target])
        .args(["-C", "target-feature=+crt-static", "-C", "relocation-model=static", "-C", "panic=abort"])
        .args(["-C", "opt-level=s", "-C", "lto=fat", "-C", "strip=symbols", "-o"])
        .arg(program)
        .arg("program/hello.rs")
        .status()
        .expect("rustc can be executed");
    assert!(status.success(), "program/hello.rs does not compile");
}

/// One blob of the layout, with its descriptor.
struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let digest = digest(&bytes);
        Self { bytes, digest }
    }

    fn json(value: &Value) -> Self {
        Self::new(serde_json::to_vec(value).expect("a JSON value can always be written"))
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }

    fn path(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn layout(program: &[u8]) -> Vec<u8> {
    let tar = tar_of(&[("hello", program, 0o755)]);
    let layer = Blob::new(gzip(&tar));
    let architecture = match env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets CARGO_CFG_TARGET_ARCH").as_str() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => panic!("no platform name is known for {other}: add it here"),
    };
    let config = Blob::json(&json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/hello"], "Env": ["PATH=/"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
        "history": [
            {"created": "1970-01-01T00:00:00Z", "created_by": "COPY hello /hello"},
            {"created": "1970-01-01T00:00:00Z", "created_by": "CMD [\"/hello\"]", "empty_layer": true},
        ],
    }));
    let manifest = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
    }));
    let mut entry = manifest.descriptor("application/vnd.oci.image.manifest.v1+json");
    entry["platform"] = json!({"architecture": architecture, "os": "linux"});
    entry["annotations"] = json!({
        "io.containerd.image.name": REFERENCE,
        "org.opencontainers.image.ref.name": "latest",
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    });
    let paths = [layer.path(), config.path(), manifest.path()];
    tar_of(&[
        ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644),
        ("index.json", index.to_string().as_bytes(), 0o644),
        (&paths[0], &layer.bytes, 0o644),
        (&paths[1], &config.bytes, 0o644),
        (&paths[2], &manifest.bytes, 0o644),
    ])
}

fn tar_of(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes, mode) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, path, *bytes).expect("writing to memory cannot fail");
    }
    archive.into_inner().expect("writing to memory cannot fail")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}
