//! Against Debian's `docker-registry`, with images that skopeo pushes.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use berth_image::{ErrorKind, LayerPhase, PullConfig, PullEvent};
use berth_oci::{Descriptor, Digest, Platform, Reference, media};
use serde_json::json;

use crate::fixture::{Fixture, Form, Image, Tar, Told, files, until};

/// One registry for all tests of this file; it goes with the test process.
struct Registry {
    address: String,
    root: tempfile::TempDir,
    child: Child,
}

impl Registry {
    fn start() -> Self {
        Self::start_with("", |_| {})
    }

    /// With more lines under `http`, and files they need.
    fn start_with(http: &str, prepare: impl Fn(&Path)) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (config, path) = (root.path().join("config.yml"), root.path().join("log"));
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '127.0.0.1:0'{http}}}\n",
            root.path().join("data").display()
        )
        .replace("ROOT", root.path().to_str().unwrap());
        prepare(root.path());
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(&path).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("Debian's docker-registry is installed");
        let mut address = String::new();
        until("the registry listens", || {
            let log = std::fs::read_to_string(&path).unwrap();
            let said = log.split_once("msg=\"listening on ").and_then(|(_, rest)| rest.split(['"', ',']).next());
            address = said.unwrap_or_default().to_owned();
            !address.is_empty()
        });
        Self { address, root, child }
    }

    /// Pushes an OCI layout directory by skopeo.
    fn push(&self, layout: &Path, name: &str, options: &[&str]) -> String {
        let target = format!("{}/{name}", self.address);
        let output = Command::new("skopeo")
            .args(["copy", "--insecure-policy", "--dest-tls-verify=false"])
            .args(options)
            .arg(format!("oci:{}:x", layout.display()))
            .arg(format!("docker://{target}"))
            .output()
            .expect("skopeo is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        target
    }

    /// How often it was asked for a blob.
    fn gets(&self, digest: &Digest) -> usize {
        let log = std::fs::read_to_string(self.root.path().join("log")).unwrap();
        log.lines().filter(|l| l.contains("\"GET ") && l.contains(&format!("/blobs/{digest}"))).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn layer(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = Tar::default();
    tar.directory("etc/", 0o755).file(&format!("etc/{name}"), bytes);
    tar.finish()
}

/// An OCI layout directory of one image, or of a list of images.
fn layout(images: &[(&str, Image)], list: bool) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let blobs = root.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| std::fs::write(blobs.join(Digest::of(bytes).hex()), bytes).unwrap();
    let mut entries = Vec::new();
    for (platform, image) in images {
        image.blobs.iter().chain([&image.config, &image.manifest]).for_each(|b| put(b));
        let mut descriptor = Descriptor::of(media::OCI_MANIFEST, &image.manifest);
        descriptor.platform = list.then(|| Platform::parse(platform).unwrap());
        entries.push(descriptor);
    }
    let mut top = entries[0].clone();
    if list {
        let index = json!({"schemaVersion": 2, "mediaType": media::OCI_INDEX, "manifests": entries}).to_string();
        put(index.as_bytes());
        top = Descriptor::of(media::OCI_INDEX, index.as_bytes());
    }
    top.annotations = Some([("org.opencontainers.image.ref.name".to_owned(), "x".to_owned())].into());
    let index = json!({"schemaVersion": 2, "manifests": [top]}).to_string();
    std::fs::write(root.path().join("index.json"), index).unwrap();
    std::fs::write(root.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    root
}

fn image_for(platform: &str, layers: &[(Vec<u8>, Form)]) -> (String, Image) {
    let parsed = Platform::parse(platform).unwrap();
    let image = Image::with(layers, |config, _| {
        config["os"] = parsed.os.clone().into();
        config["architecture"] = parsed.architecture.clone().into();
    });
    (platform.to_owned(), image)
}

async fn pull(
    fixture: &Fixture,
    name: &str,
    platform: Option<&str>,
) -> berth_image::Result<(berth_image::Pulled, Vec<PullEvent>)> {
    let told = Told::default();
    let platform = platform.map(|p| Platform::parse(p).unwrap());
    let pulled = fixture.store.pull(&Reference::parse(name).unwrap(), platform, None, &told.listener()).await?;
    Ok((pulled, told.take()))
}

fn existing(events: &[PullEvent]) -> usize {
    events.iter().filter(|e| matches!(e, PullEvent::Layer { phase: LayerPhase::AlreadyExists, .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_from_end_to_end() {
    let registry = Registry::start();
    let shared = layer("base", &vec![b'b'; 300_000]);
    let image = |name: &str, form| image_for("linux/amd64", &[(shared.clone(), Form::Gzip), (layer(name, b"1"), form)]);
    let fixture = Fixture::new(PullConfig::default());

    // A028: schema 2, and OCI with a zstd layer. A029: the layer they share is fetched once.
    let (one, two) = (image("one", Form::Gzip), image("two", Form::Zstd));
    let name = registry.push(layout(&[("", one.1.clone())], false).path(), "team/app:v1", &["--format", "v2s2"]);
    let (pulled, events) = pull(&fixture, &name, None).await.unwrap();
    assert!(pulled.fresh);
    assert_eq!(existing(&events), 0);
    assert_eq!(fixture.store.resolve(&name).unwrap().manifest.media_type, media::DOCKER_MANIFEST);
    let zstd = registry.push(layout(&[("", two.1.clone())], false).path(), "team/app:v2", &[]);
    let (_, events) = pull(&fixture, &zstd, None).await.unwrap();
    assert_eq!(existing(&events), 1);
    // It writes a request down after it has answered it.
    until("the shared layer's fetch is logged", || registry.gets(&Digest::of(&two.1.blobs[1])) == 1);
    assert_eq!(registry.gets(&Digest::of(&two.1.blobs[0])), 1);
    let root = fixture.store.root(&fixture.store.resolve(&zstd).unwrap());
    assert_eq!(std::fs::read(files(&root[0]).join("etc/two")).unwrap(), b"1");
    assert_eq!(std::fs::read(files(&root[1]).join("etc/base")).unwrap().len(), 300_000);

    // A021: a second pull.
    assert!(!pull(&fixture, &name, None).await.unwrap().0.fresh);

    // A024: by digest: no tag.
    let by_digest = format!("{}/team/app@{}", registry.address, pulled.digest);
    fixture.store.delete(&name, Default::default()).unwrap();
    pull(&fixture, &by_digest, None).await.unwrap();
    let found = fixture.store.resolve(&by_digest).unwrap();
    assert_eq!((found.repo_tags.len(), found.repo_digests), (0, vec![by_digest]));

    // A025's list.
    let mut tags = fixture.store.remote_tags(&Reference::parse(&name).unwrap(), None).await.unwrap();
    tags.sort();
    assert_eq!(tags, ["v1", "v2"]);

    // A026: unknown tags and repositories.
    let missing = format!("{}/team/app:nosuch", registry.address);
    let error = pull(&fixture, &missing, None).await.unwrap_err();
    let expected = format!("manifest for {missing} not found: manifest unknown: manifest unknown");
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, expected));
    let unknown = format!("{}/no/such", registry.address);
    assert_eq!(pull(&fixture, &unknown, None).await.unwrap_err().kind(), ErrorKind::NotFound);

    platforms(&registry, &fixture).await;
}

/// A027: manifest lists.
async fn platforms(registry: &Registry, fixture: &Fixture) {
    let images = ["linux/arm64", "linux/amd64"].map(|p| image_for(p, &[(layer(&p[6..], b"x"), Form::Gzip)]));
    let images: Vec<(&str, Image)> = images.iter().map(|(p, image)| (p.as_str(), image.clone())).collect();
    let name = registry.push(layout(&images, true).path(), "list:latest", &["--all"]);
    let (pulled, _) = pull(fixture, &name, None).await.unwrap();
    let found = fixture.store.resolve(&name).unwrap();
    assert_eq!(found.config.architecture, "amd64");
    assert_eq!(found.repo_digests, [format!("{}/list@{}", registry.address, pulled.digest)]);
    assert_ne!(found.manifest.digest, pulled.digest);
    assert!(!pull(fixture, &name, None).await.unwrap().0.fresh);
    assert!(pull(fixture, &name, Some("linux/arm64")).await.unwrap().0.fresh);
    assert_eq!(fixture.store.resolve(&name).unwrap().config.architecture, "arm64");
    let error = pull(fixture, &name, Some("linux/s390x")).await.unwrap_err();
    assert_eq!(error.to_string(), "no matching manifest for linux/s390x in the manifest list entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_on_this_host_may_speak_tls_by_a_certificate_of_its_own() {
    let certify = |root: &Path| {
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=registry"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .current_dir(root)
            .output()
            .expect("openssl is installed");
        assert!(output.status.success());
    };
    let registry = Registry::start_with(", tls: {certificate: ROOT/cert.pem, key: ROOT/key.pem}", certify);
    let (_, image) = image_for("linux/amd64", &[(layer("x", b"x"), Form::Gzip)]);
    let name = registry.push(layout(&[("", image)], false).path(), "tls:1", &[]);
    let fixture = Fixture::new(PullConfig::default());
    assert!(pull(&fixture, &name, None).await.unwrap().0.fresh);
}

#[test]
fn other_tools_read_the_blob_store() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_, image) = image_for("linux/amd64", &[(layer("x", b"x"), Form::Gzip)]);
    let fixture = Fixture::embedded(&[("berth/hello", &image)]);
    runtime.block_on(pull(&fixture, "berth/hello", None)).unwrap();
    let output = Command::new("skopeo")
        .args(["inspect", &format!("oci:{}:docker.io/berth/hello:latest", fixture.path().join("content").display())])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(Digest::of(&image.manifest).as_str()), "{}", String::from_utf8_lossy(&output.stderr));
}
