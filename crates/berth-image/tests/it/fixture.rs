//! Images made by hand, and a store to pull them into.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use berth_image::{Driver, ImageStore, Lower, PullConfig, PullEvent};
use berth_oci::{Descriptor, Digest, Reference, media};
use serde_json::{Value, json};

/// A store of its own, gone with the test.
pub(crate) struct Fixture {
    pub(crate) root: tempfile::TempDir,
    pub(crate) store: ImageStore,
    pub(crate) state: berth_state::Store,
}

impl Fixture {
    pub(crate) fn new(config: PullConfig) -> Self {
        let root = tempfile::tempdir().unwrap();
        let state = berth_state::Store::open(&root.path().join("state.db")).unwrap();
        // Both forms of layers pass every test: `BERTH_TEST_STORAGE=overlay2`.
        let asked = std::env::var("BERTH_TEST_STORAGE").ok();
        let driver = asked.map(|name| Driver::parse(&name).expect("a storage driver"));
        let config = PullConfig { driver: config.driver.or(driver), ..config };
        let store = ImageStore::open(root.path(), state.clone(), config).unwrap();
        Self { root, store, state }
    }

    pub(crate) fn embedded(images: &[(&str, &Image)]) -> Self {
        let embedded = images.iter().map(|(name, image)| {
            let archive: &'static [u8] = Box::leak(image.layout().into_boxed_slice());
            (Reference::parse(name).unwrap(), archive)
        });
        Self::new(PullConfig { embedded: embedded.collect(), ..PullConfig::default() })
    }

    /// What lies under a directory of the data root, but for the trash.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        names(&self.root.path().join(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }
}

/// Waits for what is done by somebody else in their own time.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Where a layer's files are, as long as its store is open.
pub(crate) fn files(layer: &Lower) -> PathBuf {
    use std::os::fd::AsRawFd;
    match layer.is_image() {
        true => format!("/proc/self/fd/{}/", layer.open().unwrap().as_raw_fd()).into(),
        false => layer.path().to_owned(),
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a pull told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<PullEvent>>);

impl Told {
    pub(crate) fn listener(&self) -> impl Fn(PullEvent) + Send + Sync + '_ {
        |event| self.0.lock().unwrap().push(event)
    }

    pub(crate) fn take(&self) -> Vec<PullEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// How a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Plain,
    Gzip,
    Zstd,
}

/// An image made by hand.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) config: Vec<u8>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) blobs: Vec<Vec<u8>>,
}

impl Image {
    pub(crate) fn new(layers: &[(Vec<u8>, Form)]) -> Self {
        Self::with(layers, |_, _| {})
    }

    /// As `new`, with a last word on the configuration and the manifest.
    pub(crate) fn with(layers: &[(Vec<u8>, Form)], change: impl Fn(&mut Value, &mut Value)) -> Self {
        let blobs: Vec<Vec<u8>> = layers.iter().map(|(tar, form)| compress(tar, *form)).collect();
        let diff_ids: Vec<Digest> = layers.iter().map(|(tar, _)| Digest::of(tar)).collect();
        let mut config = json!({
            "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": {"Cmd": ["/bin/true"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let types = layers.iter().map(|(_, form)| match form {
            Form::Plain => media::OCI_LAYER,
            Form::Gzip => media::OCI_LAYER_GZIP,
            Form::Zstd => media::OCI_LAYER_ZSTD,
        });
        let descriptors: Vec<Descriptor> = types.zip(&blobs).map(|(t, b)| Descriptor::of(t, b)).collect();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": media::OCI_MANIFEST,
            "config": null, "layers": descriptors,
        });
        change(&mut config, &mut manifest);
        let config = config.to_string().into_bytes();
        if manifest["config"].is_null() {
            manifest["config"] = json!(Descriptor::of(media::OCI_CONFIG, &config));
        }
        Self { config, manifest: manifest.to_string().into_bytes(), blobs }
    }

    /// An OCI image layout as a tar.
    pub(crate) fn layout(&self) -> Vec<u8> {
        let index = json!({
            "schemaVersion": 2,
            "manifests": [Descriptor::of(media::OCI_MANIFEST, &self.manifest)],
        });
        let mut tar = Tar::default();
        tar.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        tar.file("index.json", index.to_string().as_bytes());
        for blob in self.blobs.iter().chain([&self.config, &self.manifest]) {
            tar.file(&format!("blobs/sha256/{}", Digest::of(blob).hex()), blob);
        }
        tar.finish()
    }
}

pub(crate) fn compress(bytes: &[u8], form: Form) -> Vec<u8> {
    match form {
        Form::Plain => bytes.to_vec(),
        Form::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Form::Zstd => zstd::encode_all(bytes, 1).unwrap(),
    }
}

/// An archive made by hand, with names that honest tools would not write.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn file(&mut self, path: &str, bytes: &[u8]) -> &mut Self {
        self.entry(path, tar::EntryType::Regular, "", 0o644, bytes)
    }

    pub(crate) fn directory(&mut self, path: &str, mode: u32) -> &mut Self {
        self.entry(path, tar::EntryType::Directory, "", mode, b"")
    }

    pub(crate) fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        self.entry(path, tar::EntryType::Symlink, target, 0o777, b"")
    }

    pub(crate) fn hard_link(&mut self, path: &str, target: &str) -> &mut Self {
        self.entry(path, tar::EntryType::Link, target, 0o644, b"")
    }

    pub(crate) fn entry(&mut self, path: &str, kind: tar::EntryType, link: &str, mode: u32, bytes: &[u8]) -> &mut Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000_000);
        header.set_size(bytes.len() as u64);
        let old = header.as_old_mut();
        old.name[..path.len().min(100)].copy_from_slice(&path.as_bytes()[..path.len().min(100)]);
        old.linkname[..link.len().min(100)].copy_from_slice(&link.as_bytes()[..link.len().min(100)]);
        header.set_cksum();
        self.raw(header.as_bytes()).padded(bytes)
    }

    /// PAX records for the next entry.
    pub(crate) fn pax(&mut self, records: &[(&str, &[u8])]) -> &mut Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length += 1;
            }
            body.extend_from_slice(format!("{length} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.entry("pax", tar::EntryType::XHeader, "", 0o644, &body)
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.0);
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }
}
