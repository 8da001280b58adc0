//! What is in images, and images made of that.

use std::io::Read;

use berth_image::{How, Image as Found};
use berth_oci::{Digest, Reference};

use crate::fixture::{Fixture, Form, Image, Tar, Told};

fn base(text: &[u8]) -> (Vec<u8>, Form) {
    let mut tar = Tar::default();
    tar.directory("etc/", 0o755).file("etc/name", text).file("etc/gone", b"x").directory("var/", 0o755);
    tar.file("var/old", text);
    (tar.finish(), Form::Gzip)
}

fn top() -> (Vec<u8>, Form) {
    let mut tar = Tar::default();
    tar.file("etc/own", b"own").file("etc/.wh.gone", b"").file("var/.wh..wh..opq", b"").file("var/new", b"n");
    (tar.finish(), Form::Gzip)
}

async fn pulled(fixture: &Fixture, name: &str) -> Found {
    let reference = Reference::parse(name).unwrap();
    fixture.store.pull(&reference, None, None, &Told::default().listener()).await.unwrap();
    fixture.store.resolve(name).unwrap()
}

fn layer(fixture: &Fixture, blob: &Digest) -> Vec<u8> {
    let mut bytes = Vec::new();
    fixture.store.open_layer(blob).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_flat_image_s_layer_is_made_again_byte_for_byte() {
    let fixture = Fixture::embedded(&[("berth/app", &Image::new(&[base(b"one"), top()]))]);
    let image = pulled(&fixture, "berth/app").await;
    let id = fixture.store.flatten(&image, None).unwrap();
    let flat = fixture.store.resolve(id.as_str()).unwrap();
    let blob = flat.config.rootfs.diff_ids[0].digest();
    assert_eq!(Digest::of(&layer(&fixture, blob)), *blob);
    let difference = fixture.store.difference(&image, &flat).unwrap();
    assert!(difference.files.is_empty() && difference.config.is_empty(), "{difference:?}");
    assert_eq!(fixture.store.explain(&flat).unwrap().seen, fixture.store.explain(&image).unwrap().seen);
}

#[tokio::test]
async fn what_layers_hide_is_told() {
    let fixture = Fixture::embedded(&[("berth/app", &Image::new(&[base(b"one"), top()]))]);
    let found = fixture.store.explain(&pulled(&fixture, "berth/app").await).unwrap();
    let wasted: Vec<(&str, u64, How)> = found.wasted.iter().map(|w| (w.path.as_str(), w.size, w.how)).collect();
    assert_eq!(wasted, [("/var/old", 3, How::Deleted), ("/etc/gone", 1, How::Deleted)]);
    assert_eq!((found.total, found.seen), (3 + 1 + 3 + 3 + 1, 3 + 3 + 1));
    assert_eq!((found.layers[1].added, found.layers[1].removed), (2, 2));
}

#[tokio::test]
async fn a_rebased_image_has_its_layers_blobs() {
    let (old, new) = (Image::new(&[base(b"one")]), Image::new(&[base(b"two"), base(b"three")]));
    let app = Image::new(&[base(b"one"), top()]);
    let fixture = Fixture::embedded(&[("berth/old", &old), ("berth/new", &new), ("berth/app", &app)]);
    let [from, onto, image] =
        [pulled(&fixture, "berth/old").await, pulled(&fixture, "berth/new").await, pulled(&fixture, "berth/app").await];
    let rebased = fixture.store.rebase(&image, None, &onto, Some(&Reference::parse("berth/app:2").unwrap())).unwrap();
    assert_eq!((&rebased.from, rebased.own_layers), (&from.id, 1));
    assert_eq!(rebased.conflicts, ["/var/old"]);
    let found = fixture.store.resolve("berth/app:2").unwrap();
    assert_eq!(found.id, rebased.id);
    let diff_ids = [&onto.config.rootfs.diff_ids[..], &image.config.rootfs.diff_ids[1..]].concat();
    assert_eq!(found.config.rootfs.diff_ids, diff_ids);
    // The very blob, which is needed by both now.
    fixture.store.delete("berth/app", Default::default()).unwrap();
    let blob = Digest::of(&app.blobs[1]);
    assert_eq!(layer(&fixture, &blob), app.blobs[1]);
    // What it does not stand on is no base.
    let error = fixture.store.rebase(&found, Some(&from), &onto, None).unwrap_err();
    assert_eq!(error.to_string(), "berth/app:2 does not stand on berth/old:latest");
}
