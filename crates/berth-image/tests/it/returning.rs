//! Images that come back after they were removed: what is known of their blobs by then saves work, not checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_image::{DeleteOptions, Error, PullConfig, Pulled, Result};
use berth_oci::{Digest, Reference};

use crate::fixture::{Fixture, Form, Image, Tar, Told, files};
use crate::mock::Mock;

fn layer() -> Vec<u8> {
    let mut layer = Tar::default();
    let noise: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    layer.file("noise", &noise).file("text", &b"text ".repeat(20_000));
    layer.finish()
}

/// A registry of the image, which spoils a byte in the middle of its layer while it is told to.
fn spoiling(image: &Image) -> (Mock, Arc<AtomicBool>) {
    let spoilt = Arc::new(AtomicBool::new(false));
    let (spoil, layer) = (spoilt.clone(), Digest::of(&image.blobs[0]));
    let mock = Mock::of(image, move |request, mut response| {
        if spoil.load(Ordering::Relaxed) && request.path.ends_with(layer.as_str()) {
            let middle = response.body.len() / 2;
            response.body[middle] ^= 1;
        }
        response
    });
    (mock, spoilt)
}

async fn pull(fixture: &Fixture, mock: &Mock) -> Result<Pulled> {
    let name = Reference::parse(&format!("{}/app:1", mock.address)).unwrap();
    fixture.store.pull(&name, None, None, &Told::default().listener()).await
}

fn remove(fixture: &Fixture) {
    for image in fixture.store.list().unwrap() {
        let options = DeleteOptions { force: true, ..DeleteOptions::default() };
        fixture.store.delete(image.id.as_str(), options).unwrap();
    }
    assert!(fixture.names("content/blobs/sha256").is_empty());
}

fn text(fixture: &Fixture) -> Vec<u8> {
    let image = fixture.store.list().unwrap().remove(0);
    let lower = fixture.store.root(&image).remove(0);
    std::fs::read(files(&lower).join("text")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_held_against_its_name_each_time() {
    for form in [Form::Gzip, Form::Zstd, Form::Plain] {
        let image = Image::new(&[(layer(), form)]);
        let (mock, spoilt) = spoiling(&image);
        let fixture = Fixture::new(PullConfig::default());
        pull(&fixture, &mock).await.unwrap();
        remove(&fixture);
        spoilt.store(true, Ordering::Relaxed);
        let error = pull(&fixture, &mock).await.unwrap_err();
        assert!(matches!(&error, Error::LayerVerification(_)), "{error}");
        assert!(fixture.store.list().unwrap().is_empty());
        spoilt.store(false, Ordering::Relaxed);
        pull(&fixture, &mock).await.unwrap();
        assert_eq!(text(&fixture), b"text ".repeat(20_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uncompressed_blob_that_is_spoilt_the_first_time() {
    let (mock, spoilt) = spoiling(&Image::new(&[(layer(), Form::Plain)]));
    spoilt.store(true, Ordering::Relaxed);
    let fixture = Fixture::new(PullConfig::default());
    let error = pull(&fixture, &mock).await.unwrap_err();
    assert!(matches!(&error, Error::LayerVerification(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_configuration_still_has_to_tell_the_truth() {
    let honest = Image::new(&[(layer(), Form::Gzip)]);
    let liar = Image::with(&[(layer(), Form::Gzip)], |config, _| {
        config["rootfs"]["diff_ids"][0] = Digest::of(b"other").as_str().into();
    });
    // A compressed blob that calls itself what it unpacks to.
    let twin = Image::with(&[(layer(), Form::Gzip)], |config, manifest| {
        config["rootfs"]["diff_ids"][0] = manifest["layers"][0]["digest"].clone();
    });
    let fixture = Fixture::new(PullConfig::default());
    pull(&fixture, &Mock::of(&honest, |_, response| response)).await.unwrap();
    remove(&fixture);
    for image in [liar, twin] {
        let error = pull(&fixture, &Mock::of(&image, |_, response| response)).await.unwrap_err();
        assert!(matches!(&error, Error::DiffId { .. }), "{error}");
    }
}
