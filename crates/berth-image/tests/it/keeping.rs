//! What is kept, for whom and how long: blobs that are not whole, files that somebody works with, blobs beside layers.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_image::{DeleteOptions, PullConfig, Pulled, Result};
use berth_oci::{Digest, Reference};

use crate::fixture::{Fixture, Form, Image, Tar, Told, files, names, until};
use crate::mock::{Mock, Response};

/// One layer of 400 kB that do not compress, so that it comes in pieces.
fn image() -> Image {
    let mut layer = Tar::default();
    for n in 0..100 {
        let bytes: Vec<u8> =
            (0..4000_u32).map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(n * 7) >> 11) as u8).collect();
        layer.file(&format!("f{n}"), &bytes);
    }
    Image::new(&[(layer.finish(), Form::Plain)])
}

/// One layer that is compressed.
fn compressed() -> Image {
    Image::new(&[(Tar::default().file("file", &[7; 5000]).finish(), Form::Gzip)])
}

async fn pull(fixture: &Fixture, mock: &Mock) -> Result<Pulled> {
    let name = Reference::parse(&format!("{}/team/app:v1", mock.address)).unwrap();
    let told = Told::default();
    let listener = told.listener();
    fixture.store.pull(&name, None, None, &listener).await
}

fn blob_files(fixture: &Fixture) -> usize {
    names(&fixture.path().join("content/blobs/sha256")).len()
}

fn force() -> DeleteOptions {
    DeleteOptions { force: true, ..DeleteOptions::default() }
}

/// A registry that breaks off in the middle of the layer and then is away, until it is repaired.
fn breaking(image: &Image) -> (Mock, Arc<AtomicBool>) {
    let repaired = Arc::new(AtomicBool::new(false));
    let (well, layer) = (repaired.clone(), Digest::of(&image.blobs[0]));
    let mock = Mock::of(image, move |request, response| {
        if well.load(Ordering::Relaxed) || !request.path.ends_with(layer.as_str()) {
            return response;
        }
        match request.header("range") {
            None => Response::new(200, &response.body[..150_000]).announcing(response.body.len()),
            Some(_) => Response::new(404, ""),
        }
    });
    (mock, repaired)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_goes_on_from_the_byte_it_had() {
    let image = image();
    let (mock, repaired) = breaking(&image);
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &mock).await.unwrap_err();
    until("what is whole is gone", || blob_files(&fixture) == 0);
    let part = std::fs::read_dir(fixture.path().join("content/partial")).unwrap().next().unwrap().unwrap();
    let had = part.metadata().unwrap().len();
    assert!((1..=150_000).contains(&had), "{had}");
    assert!(fixture.store.list().unwrap().is_empty());

    repaired.store(true, Ordering::Relaxed);
    mock.seen.lock().unwrap().clear();
    assert!(pull(&fixture, &mock).await.unwrap().fresh);
    let asked: Vec<Option<String>> = {
        let seen = mock.seen.lock().unwrap();
        let layer = Digest::of(&image.blobs[0]);
        seen.iter().filter(|r| r.path.ends_with(layer.as_str())).map(|r| r.header("range").map(str::to_owned)).collect()
    };
    assert_eq!(asked, [Some(format!("bytes={had}-"))]);
    assert!(fixture.names("content/partial").is_empty());
    let layer = &fixture.store.list().unwrap()[0];
    let root = fixture.store.root(layer);
    assert_eq!(names(&files(&root[0])).len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_of_an_earlier_try_is_fetched_again() {
    let image = image();
    let (mock, repaired) = breaking(&image);
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &mock).await.unwrap_err();
    let part = std::fs::read_dir(fixture.path().join("content/partial")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    repaired.store(true, Ordering::Relaxed);
    assert!(pull(&fixture, &mock).await.unwrap().fresh);
    assert!(fixture.names("content/partial").is_empty());
    assert_eq!(blob_files(&fixture), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_ranges_sends_what_is_here_again() {
    let image = image();
    let layer = Digest::of(&image.blobs[0]);
    let (whole, repaired) = (image.blobs[0].clone(), Arc::new(AtomicBool::new(false)));
    let well = repaired.clone();
    let mock = Mock::of(&image, move |request, response| {
        if !request.path.ends_with(layer.as_str()) {
            return response;
        }
        match (well.load(Ordering::Relaxed), request.header("range")) {
            (true, _) => Response::new(200, whole.clone()),
            (false, None) => Response::new(200, &whole[..150_000]).announcing(whole.len()),
            (false, Some(_)) => Response::new(404, ""),
        }
    });
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &mock).await.unwrap_err();
    repaired.store(true, Ordering::Relaxed);
    assert!(pull(&fixture, &mock).await.unwrap().fresh);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_layer_leaves_nothing_to_go_on_with() {
    let image = Image::new(&[(b"this is no archive".repeat(100), Form::Gzip)]);
    let mock = Mock::of(&image, |_, response| response);
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &mock).await.unwrap_err();
    until("the partial blob is gone", || fixture.names("content/partial").is_empty());
    until("what is whole is gone", || blob_files(&fixture) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_works_with_outlives_its_image() {
    let image = image();
    let mock = Mock::of(&image, |_, response| response);
    let fixture = Fixture::new(PullConfig::default());
    let id = pull(&fixture, &mock).await.unwrap().id;
    let layers = fixture.store.resolve(id.as_str()).unwrap();
    let root = fixture.store.root(&layers);
    let (one, other) = (fixture.store.lease(&id).unwrap(), fixture.store.lease(&id).unwrap());
    fixture.store.delete(id.as_str(), force()).unwrap();
    assert!(fixture.store.list().unwrap().is_empty());
    assert!(fixture.store.lease(&id).is_err());
    assert!(root.iter().all(|layer| layer.path().exists()));
    assert_eq!(blob_files(&fixture), 3);
    drop(one);
    assert!(fixture.store.open_layer(&Digest::of(&image.blobs[0])).is_ok());
    drop(other);
    until("everything is gone", || blob_files(&fixture) == 0 && root.iter().all(|layer| !layer.path().exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_container_holds_outlives_its_image_with_its_blob() {
    let image = image();
    let mock = Mock::of(&image, |_, response| response);
    let fixture = Fixture::new(PullConfig::default());
    let id = pull(&fixture, &mock).await.unwrap().id;
    fixture.store.hold(&id, "c1").unwrap();
    fixture.store.delete(id.as_str(), force()).unwrap();
    // A commit of the container makes an image that names this blob.
    assert_eq!(blob_files(&fixture), 1);
    assert!(fixture.store.held_root(&id, "c1").is_ok());
    fixture.store.release(&id, "c1").unwrap();
    assert_eq!(blob_files(&fixture), 0);
    assert!(fixture.names("layers").iter().all(|name| ["empty", "incoming", "trash"].contains(&name.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_can_be_traded_for_disk() {
    let image = compressed();
    let (away, layer) = (Arc::new(AtomicBool::new(false)), Digest::of(&image.blobs[0]));
    let (gone, path) = (away.clone(), layer.to_string());
    let mock = Mock::of(&image, move |request, response| match gone.load(Ordering::Relaxed) {
        true if request.path.ends_with(&path) => Response::new(404, ""),
        _ => response,
    });
    let fixture = Fixture::new(PullConfig { keep_blobs: false, ..PullConfig::default() });
    let id = pull(&fixture, &mock).await.unwrap().id;
    until("only manifest and configuration are left", || blob_files(&fixture) == 2);
    assert!(fixture.names("content/partial").is_empty());
    assert_eq!(fixture.store.list().unwrap()[0].id, id);
    assert!(!pull(&fixture, &mock).await.unwrap().fresh);
    assert_eq!(mock.requests(layer.as_str()), 1);
    // Whoever wants it as it came gets it, for as long as it is wanted.
    assert!(fixture.store.open_layer(&layer).is_err());
    let lease = fixture.store.recall(&id, None).await.unwrap();
    let mut bytes = Vec::new();
    fixture.store.open_layer(&layer).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, image.blobs[0]);
    assert_eq!(fixture.store.check(Default::default(), &Vec::new).unwrap().problems, []);
    drop(lease);
    until("it is gone again", || blob_files(&fixture) == 2);
    away.store(true, Ordering::Relaxed);
    let error = fixture.store.recall(&id, None).await.unwrap_err();
    assert!(error.to_string().contains("keep-blobs"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_takes_what_interrupted_pulls_have_left() {
    let image = image();
    let (mock, _) = breaking(&image);
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &mock).await.unwrap_err();
    let dry = || fixture.store.prune(&[], true).unwrap().freed;
    until("nobody works at it", || dry() > 0);
    let dry = dry();
    assert!(fixture.store.usage().unwrap().unfinished == dry);
    assert_eq!(fixture.store.prune(&[], false).unwrap().freed, dry);
    assert!(fixture.names("content/partial").is_empty());
    assert_eq!(fixture.store.prune(&[], false).unwrap().freed, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_is_given_without_its_compression_too() {
    let tar = Tar::default().file("file", &[7; 5000]).finish();
    let image = Image::new(&[(tar.clone(), Form::Gzip)]);
    let mock = Mock::of(&image, |_, response| response);
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &mock).await.unwrap();
    let mut bytes = Vec::new();
    fixture.store.open_layer(&Digest::of(&tar)).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, tar);
}
