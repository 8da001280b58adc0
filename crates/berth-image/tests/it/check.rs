//! `system check`: it finds what is missing, damaged or left over, and nothing where nothing is.

use std::path::PathBuf;

use berth_image::{CheckOptions, Checked, DeleteOptions, Object, ProblemKind, PullConfig};
use berth_oci::{Digest, ImageId, Reference};

use crate::fixture::{Fixture, Form, Image, Tar, Told, names, until};
use crate::mock::Mock;

const DEEP: CheckOptions = CheckOptions { quick: false, repair: false };
const QUICK: CheckOptions = CheckOptions { quick: true, repair: false };
const REPAIR: CheckOptions = CheckOptions { quick: false, repair: true };

fn image() -> Image {
    let mut base = Tar::default();
    base.directory("etc", 0o755).file("etc/base", b"base").file("etc/gone", b"x").symlink("link", "etc/base");
    let mut top = Tar::default();
    top.file("etc/.wh.gone", b"").file("top", &[7; 5000]).hard_link("other", "top");
    Image::new(&[(base.finish(), Form::Gzip), (top.finish(), Form::Zstd)])
}

struct Shelf {
    mock: Mock,
    image: Image,
    fixture: Fixture,
    id: ImageId,
    runtime: tokio::runtime::Runtime,
}

impl Shelf {
    fn new() -> Self {
        let image = image();
        let mock = Mock::of(&image, |_, response| response);
        let fixture = Fixture::new(PullConfig::default());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let id = runtime.block_on(pull(&fixture, &mock)).unwrap().id;
        Self { mock, image, fixture, id, runtime }
    }

    fn pull(&self) {
        self.runtime.block_on(pull(&self.fixture, &self.mock)).unwrap();
    }

    fn check(&self, options: CheckOptions) -> Checked {
        self.fixture.store.check(options, &Vec::new).unwrap()
    }

    fn problems(&self, options: CheckOptions) -> Vec<(ProblemKind, Object)> {
        self.check(options).problems.into_iter().map(|problem| (problem.kind, problem.object)).collect()
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.fixture.path().join("content/blobs/sha256").join(digest.hex())
    }

    /// Where a layer is: an image, or a directory.
    fn place(&self, chain: &berth_oci::ChainId) -> PathBuf {
        let layers = self.fixture.path().join("layers");
        let image = layers.join(format!("{}.erofs", chain.hex()));
        if image.exists() { image } else { layers.join(chain.hex()) }
    }

    fn layer(&self) -> Digest {
        Digest::of(&self.image.blobs[1])
    }
}

fn name(mock: &Mock) -> Reference {
    Reference::parse(&format!("{}/team/app:v1", mock.address)).unwrap()
}

async fn pull(fixture: &Fixture, mock: &Mock) -> berth_image::Result<berth_image::Pulled> {
    let told = Told::default();
    let listener = told.listener();
    fixture.store.pull(&name(mock), None, None, &listener).await
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let shelf = Shelf::new();
    let checked = shelf.check(DEEP);
    assert_eq!(checked.problems, []);
    assert_eq!((checked.images, checked.layers, checked.blobs, checked.unverified), (1, 2, 4, 0));
    assert!(checked.verified > 5000);
    let quick = shelf.check(QUICK);
    assert_eq!((quick.problems.len(), quick.verified), (0, 0));
    assert!(shelf.fixture.names("layers/incoming").is_empty());
}

#[test]
fn a_blob_that_the_disk_changed() {
    let shelf = Shelf::new();
    let path = shelf.blob(&shelf.layer());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(shelf.problems(QUICK), []);
    assert_eq!(shelf.problems(DEEP), [(ProblemKind::Damaged, Object::Blob(shelf.layer()))]);
    let repaired = shelf.check(REPAIR).problems;
    assert!(repaired[0].hint.starts_with("`berth pull 127.0.0.1:"), "{repaired:?}");
    assert_eq!(shelf.problems(DEEP), [(ProblemKind::Missing, Object::Blob(shelf.layer()))]);
    shelf.pull();
    assert_eq!(shelf.problems(DEEP), []);
    // A shorter one is noticed without reading it.
    std::fs::write(&path, b"short").unwrap();
    assert_eq!(shelf.problems(QUICK), [(ProblemKind::Damaged, Object::Blob(shelf.layer()))]);
}

#[test]
fn what_is_missing_comes_back_with_a_pull() {
    let shelf = Shelf::new();
    let found = shelf.fixture.store.resolve(shelf.id.as_str()).unwrap();
    let layer = shelf.place(&found.layers[1]);
    if layer.is_file() {
        std::fs::remove_file(layer).unwrap()
    } else {
        std::fs::remove_dir_all(layer).unwrap()
    }
    std::fs::remove_file(shelf.blob(&found.manifest.digest)).unwrap();
    let expected = [
        (ProblemKind::Missing, Object::Layer(found.layers[1].clone())),
        (ProblemKind::Missing, Object::Blob(found.manifest.digest.clone())),
    ];
    let mut problems = shelf.problems(DEEP);
    problems.sort();
    assert_eq!(problems, expected);
    // What an image needs is not forgotten.
    assert!(shelf.check(REPAIR).problems.iter().all(|problem| !problem.repaired));
    shelf.pull();
    assert_eq!(shelf.problems(DEEP), []);
}

#[test]
fn a_layer_that_somebody_changed() {
    let shelf = Shelf::new();
    let found = shelf.fixture.store.resolve(shelf.id.as_str()).unwrap();
    let layer = shelf.place(&found.layers[1]);
    if layer.is_file() {
        let mut image = std::fs::read(&layer).unwrap();
        let at = image.windows(5000).position(|bytes| bytes == [7; 5000]).unwrap();
        image[at + 100] = 8;
        std::fs::write(&layer, image).unwrap();
    } else {
        std::fs::write(layer.join("diff/top"), [8; 5000]).unwrap();
    }
    assert_eq!(shelf.problems(QUICK), []);
    assert_eq!(shelf.problems(DEEP), [(ProblemKind::Damaged, Object::Layer(found.layers[1].clone()))]);
}

#[test]
fn what_is_left_over_is_removed() {
    let shelf = Shelf::new();
    let stray = Digest::of(b"stray");
    std::fs::write(shelf.blob(&stray), b"stray").unwrap();
    let layer = shelf.fixture.path().join("layers").join("0".repeat(64));
    std::fs::create_dir_all(layer.join("diff")).unwrap();
    shelf.fixture.store.hold(&shelf.id, "nobody").unwrap();
    std::fs::write(shelf.fixture.path().join("content/ingest/1-0"), b"half").unwrap();
    let problems = shelf.check(DEEP).problems;
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.kind == ProblemKind::LeftOver && !problem.repaired));
    let repaired = shelf.check(REPAIR).problems;
    let left: Vec<&Object> = repaired.iter().filter(|problem| !problem.repaired).map(|p| &p.object).collect();
    assert_eq!(left, [&Object::File("content/ingest/1-0".into())]);
    assert!(!layer.exists() && !shelf.blob(&stray).exists());
    assert_eq!(shelf.problems(DEEP).len(), 1);
}

#[test]
fn a_container_whose_claim_is_gone() {
    let shelf = Shelf::new();
    let containers = || vec![(shelf.id.clone(), "c1".to_owned())];
    let check = |options| shelf.fixture.store.check(options, &containers).unwrap().problems;
    let problems = check(DEEP);
    let hold = Object::Hold { image: shelf.id.clone(), container: "c1".into() };
    assert_eq!(problems.iter().map(|p| (p.kind, &p.object)).collect::<Vec<_>>(), [(ProblemKind::Missing, &hold)]);
    assert!(check(REPAIR)[0].repaired);
    assert_eq!(check(DEEP), []);
}

#[test]
fn what_an_interrupted_pull_has_left_waits() {
    let shelf = Shelf::new();
    let partial = shelf.fixture.path().join("content/partial").join(format!("sha256-{}", Digest::of(b"x").hex()));
    std::fs::write(partial, b"half").unwrap();
    let checked = shelf.check(DEEP);
    assert_eq!((checked.waiting.blobs, checked.waiting.bytes), (1, 4));
    assert_eq!(checked.problems, []);
    assert_eq!(names(&shelf.fixture.path().join("content/partial")).len(), 1);
}

#[test]
fn a_manifest_goes_with_the_names_that_speak_of_it() {
    let shelf = Shelf::new();
    let mut other = shelf.image.clone();
    other.manifest.push(b'\n');
    let mock = Mock::of(&other, |_, response| response);
    let pulled = shelf.runtime.block_on(pull(&shelf.fixture, &mock)).unwrap();
    assert_eq!(pulled.id, shelf.id);
    let manifests = [&shelf.image, &other].map(|image| shelf.blob(&Digest::of(&image.manifest)));
    assert_eq!(shelf.problems(DEEP), []);
    assert!(manifests.iter().all(|path| path.exists()));
    shelf.fixture.store.delete(&name(&shelf.mock).to_string(), DeleteOptions::default()).unwrap();
    until("the former manifest is gone", || !manifests[0].exists());
    assert_eq!(shelf.problems(DEEP), []);
    assert!(manifests[1].exists());
}
