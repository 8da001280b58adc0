//! Layers that want out: each is refused with one sentence, or kept inside; nothing of it remains.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use berth_oci::Reference;
use tar::EntryType;

use crate::fixture::{Fixture, Form, Image, Tar, Told, files, until};

/// Pulls an image of one layer; where it is unpacked, or why not.
pub(crate) fn unpack(layer: Vec<u8>) -> (Fixture, Result<PathBuf, String>) {
    unpack_image(&Image::new(&[(layer, Form::Gzip)]))
}

fn unpack_image(image: &Image) -> (Fixture, Result<PathBuf, String>) {
    let fixture = Fixture::embedded(&[("x/y", image)]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let told = Told::default();
    let reference = Reference::parse("x/y").unwrap();
    let pulled = runtime.block_on(fixture.store.pull(&reference, None, None, &told.listener()));
    let result = match pulled {
        Ok(_) => Ok(files(&fixture.store.root(&fixture.store.resolve("x/y").unwrap())[0])),
        Err(error) => {
            until("nothing unfinished is left", || {
                fixture.names("layers/incoming").is_empty() && fixture.names("content/ingest").is_empty()
            });
            assert_eq!(fixture.names("layers").len(), 3);
            Err(error.to_string())
        }
    };
    (fixture, result)
}

fn refused(build: impl Fn(&mut Tar) -> &mut Tar) -> String {
    let mut tar = Tar::default();
    build(&mut tar);
    let (_fixture, result) = unpack(tar.finish());
    let sentence = result.unwrap_err();
    assert!(sentence.starts_with("failed to register layer sha256:"), "{sentence}");
    assert!(!sentence.contains('\n'));
    sentence
}

fn kept(build: impl Fn(&mut Tar) -> &mut Tar) -> (Fixture, PathBuf) {
    let mut tar = Tar::default();
    build(&mut tar);
    let (fixture, result) = unpack(tar.finish());
    (fixture, result.unwrap())
}

#[test]
fn names_that_climb_out_are_refused() {
    for path in ["../evil", "a/../../evil", "/../evil", ".."] {
        assert!(refused(|t| t.file(path, b"x")).contains("leads out of the image"), "{path}");
    }
    assert!(refused(|t| t.hard_link("x", "../../../etc/passwd")).contains("leads out of the image"));
    assert!(refused(|t| t.file("a/.wh...", b"")).contains("whiteout"));
    assert!(refused(|t| t.file(".wh.", b"")).contains("whiteout"));
}

#[test]
fn absolute_names_are_taken_as_relative() {
    let (_fixture, root) = kept(|t| t.file("/berth-test-evil", b"x"));
    assert!(root.join("berth-test-evil").exists());
    assert!(!Path::new("/berth-test-evil").exists());
}

#[test]
fn symbolic_links_lead_nowhere_outside() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    assert!(refused(|t| t.symlink("x", "../../etc")).contains("points out of the image"));
    // An absolute link is the image's own business; what is written through it stays inside, or fails.
    let (_fixture, root) = kept(|t| t.directory("inner", 0o755).symlink("l", "/inner").file("l/evil", b"x"));
    assert!(root.join("inner/evil").exists());
    refused(|t| t.symlink("l", target).file("l/evil", b"x"));
    refused(|t| t.symlink("l", "/proc/self/root").file("l/evil", b"x"));
    let (_fixture, _root) = kept(|t| t.symlink("l", target).file("l", b"x"));
    assert!(std::fs::read_dir(outside.path()).unwrap().next().is_none());
}

#[test]
fn hard_links_reach_nothing_outside() {
    assert!(refused(|t| t.hard_link("x", "/etc/passwd")).contains("not in the layer"));
    assert!(refused(|t| t.symlink("etc", "/etc").hard_link("x", "etc/passwd")).contains("not in the layer"));
    assert!(refused(|t| t.directory("d", 0o755).hard_link("x", "d")).contains("not in the layer"));
    assert!(refused(|t| t.file(".wh.w", b"").hard_link("x", "w")).contains("not in the layer"));
    // A link to a link is a link.
    let (_fixture, root) = kept(|t| t.symlink("l", "/etc/passwd").hard_link("x", "l"));
    assert!(std::fs::symlink_metadata(root.join("x")).unwrap().is_symlink());
}

#[test]
fn absurd_names_are_refused() {
    let long = "n".repeat(5000);
    assert!(refused(|t| t.pax(&[("path", long.as_bytes())]).file("x", b"")).contains("absurdly long"));
    assert!(refused(|t| t.pax(&[("path", &long.as_bytes()[..300])]).file("x", b"")).contains("absurdly long"));
    let deep = "d/".repeat(300);
    assert!(refused(|t| t.pax(&[("path", deep.as_bytes())]).file("x", b"")).contains("absurdly long"));
    assert!(refused(|t| t.pax(&[("path", b"a\0b")]).file("x", b"")).contains("PAX"));
    assert!(
        refused(|t| t.entry("L", EntryType::GNULongName, "", 0, &vec![b'x'; 9000]).file("x", b""))
            .contains("absurdly long")
    );
    let names = vec![b'x'; 2 << 20];
    assert!(refused(|t| t.entry("p", EntryType::XHeader, "", 0, &names)).contains("absurdly long"));
}

#[test]
fn broken_archives_are_refused() {
    let mut tar = Tar::default();
    tar.file("x", &[b'x'; 5000]);
    let whole = tar.finish();
    for length in [600, 4000, 5000] {
        let (_fixture, result) = unpack(whole[..length].to_vec());
        assert!(result.unwrap_err().contains("cut off"), "{length}");
    }
    let mut spoilt = whole.clone();
    spoilt[3] ^= 1;
    assert!(unpack(spoilt).1.unwrap_err().contains("checksum"));
    assert!(unpack(vec![b'x'; 2048]).1.is_err());
    // A stream of gzip that ends early; and an empty layer, which is one.
    let gz = crate::fixture::compress(&whole, Form::Gzip);
    assert!(unpack(gz[..gz.len() - 20].to_vec()).1.is_err());
    assert!(unpack(Vec::new()).1.is_ok());
    assert!(refused(|t| t.entry("x", EntryType::new(b'Q'), "", 0, b"")).contains("unknown type"));
}

#[test]
fn bombs_are_refused() {
    // 5 GiB of zeros in some hundred kilobytes, as one file; neither held in memory nor written.
    let mut header = tar::Header::new_gnu();
    header.set_size(5 << 30);
    header.set_mode(0o644);
    header.set_path("bomb").unwrap();
    header.set_cksum();
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    std::io::Write::write_all(&mut encoder, header.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 5 << 30), &mut encoder).unwrap();
    let blob = encoder.finish().unwrap();
    assert!(blob.len() < 1 << 20);
    let mut image = Image::new(&[(Vec::new(), Form::Plain)]);
    let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
    manifest["layers"][0] = serde_json::json!(berth_oci::Descriptor::of(berth_oci::media::OCI_LAYER_ZSTD, &blob));
    image.manifest = manifest.to_string().into_bytes();
    image.blobs = vec![blob];
    let (fixture, result) = unpack_image(&image);
    assert!(result.unwrap_err().contains("bomb"));
    until("the bomb's remains are gone", || fixture.names("layers/trash").is_empty());
}

#[test]
fn overlays_own_attributes_do_not_come_from_outside() {
    let (_fixture, root) = kept(|t| {
        t.pax(&[
            ("SCHILY.xattr.trusted.overlay.redirect", b"/other"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.user.overlay.opaque", b"y"),
            ("SCHILY.xattr.user.good", b"v"),
        ]);
        t.directory("d", 0o755)
    });
    let mut names = [0_u8; 1000];
    let length = rustix::fs::listxattr(root.join("d"), &mut names[..]).unwrap();
    assert_eq!(&names[..length], b"user.good\0");
}

#[test]
fn what_is_replaced_within_a_layer_is_the_last() {
    let (_fixture, root) = kept(|t| {
        t.file("a", b"1").directory("a", 0o755).file("a/x", b"2");
        t.directory("b/deep", 0o755).file("b/deep/x", b"1").file("b", b"2");
        t.symlink("c", "/a").directory("c", 0o700);
        t.file("d", b"1").file("d", b"22");
        t.hard_link("e", "d").file("e", b"3");
        t.directory("f", 0o700).directory("f", 0o711)
    });
    assert_eq!(std::fs::read(root.join("a/x")).unwrap(), b"2");
    assert_eq!(std::fs::read(root.join("b")).unwrap(), b"2");
    assert!(std::fs::symlink_metadata(root.join("c")).unwrap().is_dir());
    assert_eq!(std::fs::read(root.join("d")).unwrap(), b"22");
    assert_eq!(std::fs::read(root.join("e")).unwrap(), b"3");
    assert_eq!(std::fs::metadata(root.join("f")).unwrap().mode() & 0o7777, 0o711);
}

#[test]
fn whiteouts_and_what_the_layer_has_of_that_name_itself() {
    let opaque = |path: &Path| {
        let mut value = [0_u8; 8];
        rustix::fs::getxattr(path, "trusted.overlay.opaque", &mut value[..]).is_ok()
    };
    let (_fixture, root) = kept(|t| {
        t.file("gone/.wh.x", b"").file("implied/.wh..wh..opq", b"");
        t.file(".wh.first", b"").directory("first", 0o755).file("first/x", b"");
        t.directory("last", 0o755).file(".wh.last", b"");
        t.file("file", b"1").file(".wh.file", b"");
        t.file(".wh..wh.plnk", b"")
    });
    let gone = std::fs::symlink_metadata(root.join("gone/x")).unwrap();
    assert!(gone.file_type().is_char_device() && gone.rdev() == 0);
    assert!(opaque(&root.join("implied")) && opaque(&root.join("first")) && opaque(&root.join("last")));
    assert!(!opaque(&root.join("gone")));
    assert_eq!(std::fs::metadata(root.join("gone")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(std::fs::read(root.join("file")).unwrap(), b"1");
    assert!(!root.join(".wh..wh.plnk").exists());
}
