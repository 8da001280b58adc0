//! Archives of images: what comes in and goes out again, and what is refused.

use std::sync::Mutex;

use berth_archive::Stream;
use berth_image::{ErrorKind, LoadEvent, PullConfig};
use berth_oci::Digest;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Form, Image, Tar, compress};

fn image() -> Image {
    let mut base = Tar::default();
    base.directory("etc/", 0o755).file("etc/name", b"base").symlink("etc/link", "name");
    let mut top = Tar::default();
    top.file("etc/name", b"top").file("new", &[b'n'; 5000]);
    Image::new(&[(base.finish(), Form::Gzip), (top.finish(), Form::Plain)])
}

fn empty() -> Fixture {
    Fixture::new(PullConfig::default())
}

fn load(fixture: &Fixture, archive: &[u8]) -> Result<Vec<String>, String> {
    let told = Mutex::new(Vec::new());
    let loaded = fixture.store.load(archive, None, &|event| told.lock().unwrap().push(event));
    let ids = loaded.map_err(|error| {
        assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Internal));
        error.to_string()
    })?;
    assert!(!ids.is_empty());
    let told = told.into_inner().unwrap();
    Ok(told
        .into_iter()
        .filter_map(|event| match event {
            LoadEvent::Named { name, .. } => Some(name),
            LoadEvent::Nameless(id) => Some(id.to_string()),
            LoadEvent::Renamed { name, .. } => Some(format!("renamed {name}")),
            LoadEvent::Layer { .. } => None,
        })
        .collect())
}

fn save(fixture: &Fixture, names: &[&str]) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut out = Stream(Vec::new());
    fixture.store.save(&names, None).unwrap().write(&mut out).unwrap();
    out.0
}

fn hex(bytes: &[u8]) -> String {
    Digest::of(bytes).hex().to_owned()
}

fn plain(blob: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut berth_image::decompress(blob).unwrap(), &mut out).unwrap();
    out
}

/// As Docker 1.10 to 24 write it: layers first, not compressed, in directories of their own.
fn docker_archive(image: &Image, tags: &Value) -> Tar {
    let mut archive = Tar::default();
    let mut layers = Vec::new();
    for (number, blob) in image.blobs.iter().enumerate() {
        let name = format!("{number:064}");
        archive.directory(&format!("{name}/"), 0o755).file(&format!("{name}/VERSION"), b"1.0");
        archive.file(&format!("{name}/json"), b"{}").file(&format!("{name}/layer.tar"), &plain(blob));
        layers.push(format!("{name}/layer.tar"));
    }
    let config = format!("{}.json", hex(&image.config));
    archive.file(&config, &image.config);
    let manifest = json!([{"Config": config, "RepoTags": tags, "Layers": layers}]);
    archive.file("manifest.json", manifest.to_string().as_bytes());
    archive
}

/// As Docker since 25 writes it: an OCI layout too, in the order of names.
fn new_docker_archive(image: &Image, tags: &Value) -> Tar {
    let mut archive = Tar::default();
    archive.directory("blobs/", 0o755).directory("blobs/sha256/", 0o755);
    let path = |bytes: &[u8]| format!("blobs/sha256/{}", hex(bytes));
    for blob in image.blobs.iter().chain([&image.config, &image.manifest]) {
        archive.file(&path(blob), blob);
    }
    let entry = json!({"mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": Digest::of(&image.manifest).to_string(), "size": image.manifest.len()});
    archive.file("index.json", json!({"schemaVersion": 2, "manifests": [entry]}).to_string().as_bytes());
    let layers: Vec<String> = image.blobs.iter().map(|blob| path(blob)).collect();
    let manifest = json!([{"Config": path(&image.config), "RepoTags": tags, "Layers": layers}]);
    archive.file("manifest.json", manifest.to_string().as_bytes());
    archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    archive
}

#[test]
fn every_form_of_archive_is_the_same_image() {
    let image = image();
    let id = format!("sha256:{}", hex(&image.config));
    let tags = json!(["a:1", "h:5000/b/c:2"]);
    for (what, archive) in
        [("docker", docker_archive(&image, &tags).finish()), ("docker 25", new_docker_archive(&image, &tags).finish())]
    {
        let fixture = empty();
        assert_eq!(load(&fixture, &archive).unwrap(), ["a:1", "h:5000/b/c:2"], "{what}");
        let found = fixture.store.resolve("a:1").unwrap();
        assert_eq!(found.id.as_str(), id, "{what}");
        assert_eq!(found.repo_tags, ["a:1", "h:5000/b/c:2"]);
        // Once more changes nothing, and names move.
        assert_eq!(load(&fixture, &archive).unwrap(), ["a:1", "h:5000/b/c:2"], "{what}");
    }
    let fixture = empty();
    assert_eq!(load(&fixture, &image.layout()).unwrap(), std::slice::from_ref(&id));
    assert_eq!(fixture.store.resolve(&id).unwrap().manifest.digest, Digest::of(&image.manifest));
    let nameless = docker_archive(&image, &Value::Null).finish();
    assert_eq!(load(&empty(), &nameless).unwrap(), [id]);
}

#[test]
fn archives_may_be_compressed_by_anybody() {
    let archive = docker_archive(&image(), &json!(["a:1"])).finish();
    for form in [Form::Gzip, Form::Zstd] {
        assert_eq!(load(&empty(), &compress(&archive, form)).unwrap(), ["a:1"]);
    }
    for program in ["xz", "bzip2"] {
        let packed = pipe(program, &archive);
        assert_eq!(load(&empty(), &packed).unwrap(), ["a:1"], "{program}");
        let half = &packed[..packed.len() / 2];
        assert!(load(&empty(), half).is_err(), "{program}");
    }
}

fn pipe(program: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let packed = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    packed
}

#[test]
fn what_is_saved_is_loaded_and_saved_again_byte_for_byte() {
    let image = image();
    let first = empty();
    load(&first, &new_docker_archive(&image, &json!(["a:1", "a:2"])).finish()).unwrap();
    let saved = save(&first, &["a"]);
    assert_eq!(saved, save(&first, &["a:1", "a:2"]), "a repository stands for its tags");
    let second = empty();
    assert_eq!(load(&second, &saved).unwrap(), ["a:1", "a:2"]);
    assert_eq!(saved, save(&second, &["a"]));
    // The manifest that it came by is the one that it has.
    assert_eq!(second.store.resolve("a:1").unwrap().manifest.digest, Digest::of(&image.manifest));
    let by_id = save(&second, &[&hex(&image.config)[..12]]);
    assert_ne!(saved, by_id);
    assert_eq!(load(&empty(), &by_id).unwrap(), [format!("sha256:{}", hex(&image.config))]);
    let names = |archive: &[u8]| {
        let mut reader = berth_archive::Reader::new(archive);
        let mut names = Vec::new();
        while let Some(entry) = reader.next().unwrap() {
            names.push(String::from_utf8(entry.path).unwrap());
        }
        names
    };
    let saved = names(&saved);
    for wanted in ["manifest.json", "repositories", "index.json", "oci-layout"] {
        assert!(saved.contains(&wanted.to_owned()), "{saved:?}");
    }
    assert_eq!(saved.iter().filter(|name| name.ends_with("/layer.tar")).count(), 2);
    assert!(saved.contains(&format!("{}.json", hex(&image.config))));
    assert!(!names(&by_id).contains(&"repositories".to_owned()));
}

#[test]
fn a_name_moves_and_that_is_told() {
    let fixture = empty();
    load(&fixture, &docker_archive(&image(), &json!(["a:1"])).finish()).unwrap();
    let mut other = Tar::default();
    let other = Image::new(&[(other.file("x", b"x").finish(), Form::Plain)]);
    let told = load(&fixture, &docker_archive(&other, &json!(["a:1"])).finish()).unwrap();
    assert_eq!(told, ["renamed a:1", "a:1"]);
    assert_eq!(fixture.store.list().unwrap().len(), 2);
}

#[test]
fn the_same_layer_twice_and_under_links() {
    let mut layer = Tar::default();
    let layer = layer.file("same", b"same").finish();
    let image = Image::new(&[(layer.clone(), Form::Plain), (layer.clone(), Form::Plain)]);
    let mut archive = Tar::default();
    archive.file("one/layer.tar", &layer).symlink("two/layer.tar", "../one/layer.tar");
    archive.hard_link("three.tar", "one/layer.tar").file("c.json", &image.config);
    let manifest = json!([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["two/layer.tar", "three.tar"]}]);
    archive.file("manifest.json", manifest.to_string().as_bytes());
    let fixture = empty();
    assert_eq!(load(&fixture, &archive.finish()).unwrap(), ["a:1"]);
    assert_eq!(fixture.store.resolve("a:1").unwrap().layers.len(), 2);
}

#[test]
fn the_oldest_archives_have_no_manifest() {
    let image = image();
    let (base, top) = ("b".repeat(64), "a".repeat(64));
    let mut archive = Tar::default();
    for (id, blob) in [(&top, &image.blobs[1]), (&base, &image.blobs[0])] {
        let parent = if *id == top { json!(base) } else { json!("") };
        let description = json!({"id": id, "parent": parent, "created": "2014-01-02T03:04:05Z",
            "container_config": {"Cmd": ["/bin/sh", "-c", "make"]}, "config": {"Cmd": ["sh"]},
            "architecture": "amd64", "os": "linux", "Size": 3});
        archive.file(&format!("{id}/VERSION"), b"1.0").file(&format!("{id}/layer.tar"), &plain(blob));
        archive.file(&format!("{id}/json"), description.to_string().as_bytes());
    }
    archive.file("repositories", json!({"old": {"1": top}}).to_string().as_bytes());
    let fixture = empty();
    assert_eq!(load(&fixture, &archive.finish()).unwrap(), ["old:1"]);
    let found = fixture.store.resolve("old:1").unwrap();
    assert_eq!(found.config.config.cmd.as_deref(), Some(&["sh".to_owned()][..]));
    assert_eq!(found.config.rootfs.diff_ids[0].digest(), &Digest::of(&plain(&image.blobs[0])));
    assert_eq!(found.config.history[1].created_by, "/bin/sh -c make");
    assert!(!found.config.extra.contains_key("id"));
}

#[test]
fn what_is_wrong_is_said_and_leaves_nothing() {
    let image = image();
    let tags = json!(["a:1"]);
    let good = docker_archive(&image, &tags).finish();
    let mut escaping = docker_archive(&image, &tags);
    escaping.file("../out", b"x");
    let mut linked = docker_archive(&image, &tags);
    linked.symlink("x/layer.tar", "../../../etc/passwd");
    let mut looping = Tar::default();
    looping.symlink("manifest.json", "other").symlink("other", "manifest.json");
    let mut foreign = new_docker_archive(&image, &tags);
    foreign.file(&format!("blobs/sha256/{}", "0".repeat(64)), &image.blobs[0]);
    let mut missing = Tar::default();
    missing.file("c.json", &image.config);
    missing.file("manifest.json", br#"[{"Config":"c.json","Layers":["x/layer.tar","y/layer.tar"]}]"#);
    let mut swapped = Tar::default();
    swapped.file("c.json", &image.config);
    swapped.file("x.tar", &plain(&image.blobs[1])).file("y.tar", &plain(&image.blobs[0]));
    swapped.file("manifest.json", br#"[{"Config":"c.json","Layers":["x.tar","y.tar"]}]"#);
    let mut few = Tar::default();
    few.file("c.json", &image.config).file("x.tar", &plain(&image.blobs[0]));
    few.file("manifest.json", br#"[{"Config":"c.json","Layers":["x.tar"]}]"#);
    let mut named = docker_archive(&image, &json!(["BAD:1"]));
    let mut bad_layer = docker_archive(&image, &tags);
    let mut inner = Tar::default();
    inner.file("../../escape", b"x");
    let path = format!("{:064}/layer.tar", 0);
    bad_layer.file(&path, &inner.finish());
    for (archive, sentence) in [
        (Vec::new(), "it is empty"),
        (b"junk\n".to_vec(), "neither a tar archive nor a compressed one"),
        (vec![b'x'; 5000], "neither a tar archive nor a compressed one"),
        (good[..good.len() / 2].to_vec(), "cut off"),
        (compress(&good, Form::Gzip)[..600].to_vec(), "invalid archive"),
        (Tar::default().file("bin/sh", b"x").finish(), "becomes an image by `import`"),
        (Tar::default().file("manifest.json", b"{").finish(), "manifest.json does not parse"),
        (Tar::default().file("manifest.json", b"[]").finish(), "it has no image"),
        (Tar::default().file("index.json", br#"{"schemaVersion":2,"manifests":[]}"#).finish(), "it has no image"),
        (Tar::default().file("repositories", b"{}").finish(), "it has no image"),
        (Tar::default().file("manifest.json", &vec![b' '; 17 << 20]).finish(), "which is too much"),
        (escaping.finish(), "leads out of it"),
        (linked.finish(), "leads out of it"),
        (looping.finish(), "neither manifest.json"),
        (foreign.finish(), "is something else: its digest is"),
        (missing.finish(), "the layer x/layer.tar is missing"),
        (swapped.finish(), "invalid diffID for layer 0"),
        (few.finish(), "1 layers are listed, but its configuration promises 2"),
        (named.finish(), "must be lowercase"),
        (bad_layer.finish(), "it is no layer"),
    ] {
        let fixture = empty();
        let error = load(&fixture, &archive).unwrap_err();
        assert!(error.contains(sentence) && error.starts_with("invalid archive: "), "{sentence}: {error}");
        assert!(fixture.store.list().unwrap().is_empty(), "{sentence}");
        for directory in ["content/blobs/sha256", "content/ingest", "layers/incoming"] {
            assert!(fixture.names(directory).is_empty(), "{sentence}: {directory}");
        }
    }
}

#[test]
fn bombs_are_refused() {
    let mut layer = Tar::default();
    let bomb = compress(&vec![0; 1 << 20], Form::Gzip);
    // A header that promises what only a bomb can hold.
    layer.raw(&{
        let mut header = tar::Header::new_ustar();
        header.set_path("big").unwrap();
        header.set_size(8 << 30);
        header.set_mode(0o644);
        header.set_cksum();
        header.as_bytes().to_vec()
    });
    let layer = [compress(&layer.finish(), Form::Gzip), bomb].concat();
    let mut archive = Tar::default();
    archive.file("c.json", &image().config).file("x.tar", &layer);
    archive.file("manifest.json", br#"[{"Config":"c.json","Layers":["x.tar","x.tar"]}]"#);
    let fixture = empty();
    assert!(load(&fixture, &archive.finish()).unwrap_err().contains("cut off"));
    assert!(fixture.names("layers/incoming").is_empty());
}
