//! What goes in is verified, what was left unfinished is swept, and other tools can read the layout.

use berth_content::{Error, Store};
use berth_oci::{Descriptor, Digest};

fn files(root: &std::path::Path, directory: &str) -> usize {
    std::fs::read_dir(root.join(directory)).unwrap().count()
}

#[test]
fn a_blob_is_verified_and_named_by_its_digest() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let digest = Digest::of(b"hello");
    let mut ingest = store.ingest(&digest, Some(5)).unwrap();
    ingest.write(b"hel").unwrap();
    ingest.write(b"lo").unwrap();
    assert!(!store.contains(&digest));
    ingest.verify().unwrap().publish().unwrap();
    assert_eq!(store.read(&digest).unwrap(), b"hello");
    assert_eq!(store.size(&digest), Some(5));
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&digest));
    assert_eq!(files(root.path(), "ingest"), 0);
    store.discard(&[digest.clone(), Digest::of(b"never here")]).unwrap();
    assert!(!store.contains(&digest));
    assert!(matches!(store.read(&digest), Err(Error::Missing(_))));
}

#[test]
fn wrong_bytes_leave_nothing() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let digest = Digest::of(b"hello");
    let mut ingest = store.ingest(&digest, Some(5)).unwrap();
    ingest.write(b"hallo").unwrap();
    assert!(matches!(ingest.verify(), Err(Error::Digest { .. })));
    let mut ingest = store.ingest(&digest, Some(5)).unwrap();
    ingest.write(b"hell").unwrap();
    assert!(matches!(ingest.verify(), Err(Error::Length { actual: 4, .. })));
    let mut ingest = store.ingest(&digest, Some(5)).unwrap();
    assert!(matches!(ingest.write(b"hello!"), Err(Error::Length { actual: 6, .. })));
    drop(ingest);
    assert!(store.put(&digest, b"other").is_err());
    assert_eq!(files(root.path(), "ingest"), 0);
    assert!(store.list().unwrap().is_empty());
}

#[test]
fn what_the_disk_changed_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let digest = Digest::of(b"hello");
    store.put(&digest, b"hello").unwrap();
    std::fs::write(store.path(&digest), b"jello").unwrap();
    assert!(matches!(store.read(&digest), Err(Error::Digest { .. })));
}

#[test]
fn unfinished_files_are_swept_at_open() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    std::mem::forget(store.ingest(&Digest::of(b"x"), None).unwrap());
    assert_eq!(files(root.path(), "ingest"), 1);
    Store::open(root.path()).unwrap();
    assert_eq!(files(root.path(), "ingest"), 0);
}

#[test]
fn the_layout_reads_as_one() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    store.write_index(&[Descriptor::of("x", b"hello")]).unwrap();
    let text = std::fs::read_to_string(root.path().join("index.json")).unwrap();
    assert!(text.contains(Digest::of(b"hello").as_str()));
    // Opening again keeps what is there.
    Store::open(root.path()).unwrap();
    assert_eq!(std::fs::read_to_string(root.path().join("index.json")).unwrap(), text);
    assert!(root.path().join("oci-layout").exists());
}
