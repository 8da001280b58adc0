//! Inputs that are understood, with something of everything that is parsed.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn references() -> Vec<Vec<u8>> {
    let digest = format!("h.example:5000/a/b-c__d.e:Tag_1.2-3@sha256:{}", "0a".repeat(32));
    let mut seeds = texts(&["busybox", "library/busybox:1.36", "localhost/x", "[::1]:5000/a", "docker.io/a/b:latest"]);
    seeds.push(digest.into_bytes());
    seeds
}

pub(crate) fn manifests() -> Vec<Vec<u8>> {
    let digest = |fill: &str| format!("sha256:{}", fill.repeat(32));
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest("ab"), "size": 7,
        "urls": ["http://x/y"], "annotations": {"a": "b"}});
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest("01"), "size": 9});
    let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer, layer], "annotations": null});
    let entry = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest("cd"), "size": 3,
        "platform": {"os": "linux", "architecture": "arm", "variant": "v7", "os.features": ["x"]},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"}});
    let index = json!({"schemaVersion": 2, "manifests": [entry, entry]});
    let old = json!({"schemaVersion": 1, "fsLayers": [], "history": []});
    [manifest, index, old].iter().map(|seed| seed.to_string().into_bytes()).collect()
}

pub(crate) fn configs() -> Vec<Vec<u8>> {
    let config = json!({"created": "2026-01-02T03:04:05.678Z", "author": "a", "architecture": "amd64", "os": "linux",
        "os.version": "1", "config": {"User": "u", "ExposedPorts": {"80/tcp": {}}, "Env": ["A=b"], "Cmd": ["sh"],
        "Entrypoint": null, "Volumes": {"/v": {}}, "Labels": {"x": "y"}, "StopTimeout": 3, "Hostname": "",
        "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}, "OnBuild": [], "Shell": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "0f".repeat(32))]},
        "history": [{"created_by": "x", "empty_layer": true}, {"comment": "c"}], "container": "abc"});
    vec![config.to_string().into_bytes(), b"{}".to_vec()]
}

/// Archives in three dialects, with long names, links, extended attributes, whiteouts, devices and sparse files.
pub(crate) fn archives() -> Vec<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    let mut add = |path: &str, kind: tar::EntryType, link: &str, bytes: &[u8]| {
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        let done = match link {
            "" => builder.append_data(&mut header, path, bytes),
            link => builder.append_link(&mut header, path, link),
        };
        drop(done);
    };
    add("a/", tar::EntryType::Directory, "", b"");
    add("a/file", tar::EntryType::Regular, "", &[b'x'; 700]);
    add("a/hard", tar::EntryType::Link, "a/file", b"");
    add("b", tar::EntryType::Symlink, "a/../file", b"");
    add("a/.wh.gone", tar::EntryType::Regular, "", b"");
    add("a/.wh..wh..opq", tar::EntryType::Regular, "", b"");
    add("pipe", tar::EntryType::Fifo, "", b"");
    add("device", tar::EntryType::Char, "", b"");
    add(&format!("deep/{}", "n".repeat(180)), tar::EntryType::Regular, "", b"long");
    let mut seeds = vec![builder.into_inner().unwrap_or_default(), vec![0; 1024]];
    seeds.extend(by_gnu_tar());
    seeds
}

/// What the program `tar` makes, where there is one.
fn by_gnu_tar() -> Vec<Vec<u8>> {
    let Ok(directory) = tempfile::tempdir() else { return Vec::new() };
    let path = |name: &str| directory.path().join(name);
    drop(std::fs::write(path(&"n".repeat(150)), vec![b'x'; 1000]));
    if let Ok(sparse) = std::fs::File::create(path("sparse")) {
        for hole in 0..8 {
            drop(std::os::unix::fs::FileExt::write_all_at(&sparse, &[1; 4096], hole * 65536));
        }
    }
    let formats =
        [["--format=gnu", "--sparse"], ["--format=pax", "--sparse"], ["--format=pax", "--sparse-version=0.1"]];
    let made = formats.iter().filter_map(|format| {
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(directory.path()).args(format).args(["--sparse", "-cf", "-", "."]);
        tar.output().ok().map(|output| output.stdout)
    });
    made.collect()
}

/// The same in every compression.
pub(crate) fn compressed() -> Vec<Vec<u8>> {
    let plain: Vec<u8> = (0..20_000_u32).flat_map(|n| (n * n % 977).to_le_bytes()).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    drop(gzip.write_all(&plain));
    let mut seeds = vec![gzip.finish().unwrap_or_default(), zstd::encode_all(&plain[..], 1).unwrap_or_default()];
    for (program, options) in
        [("bzip2", &["-c"][..]), ("xz", &["-c"]), ("xz", &["-c", "--check=crc32", "--x86", "--lzma2"])]
    {
        seeds.extend(piped(program, options, &plain));
    }
    seeds
}

fn piped(program: &str, options: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(program).args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let (mut stdin, input) = (child.stdin.take()?, input.to_vec());
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?;
    Some(output.stdout)
}
