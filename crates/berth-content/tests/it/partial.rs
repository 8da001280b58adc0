//! What came of a blob survives whoever fetched it, and is hashed again by whoever goes on.

use std::fs::File;
use std::time::{Duration, SystemTime};

use berth_content::{Error, Ingest, Store};
use berth_oci::Digest;

fn replay(ingest: &mut Ingest) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 3]);
    loop {
        match ingest.replay(&mut buffer).unwrap() {
            0 => return bytes,
            got => bytes.extend_from_slice(&buffer[..got]),
        }
    }
}

/// A store in which `hello` came as far as `came`.
fn begun(came: &[u8]) -> (tempfile::TempDir, Store, Digest) {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let digest = Digest::of(b"hello");
    store.resume(&digest, 5).unwrap().write(came).unwrap();
    (root, store, digest)
}

#[test]
fn the_next_try_goes_on() {
    let (root, _, digest) = begun(b"hel");
    let store = Store::open(root.path()).unwrap();
    assert!(!store.contains(&digest) && store.list().unwrap().is_empty());
    let mut ingest = store.resume(&digest, 5).unwrap();
    assert_eq!(ingest.unread(), 3);
    assert_eq!(replay(&mut ingest), b"hel");
    assert_eq!((ingest.unread(), ingest.written()), (0, 3));
    let partials = store.partials().unwrap();
    assert_eq!(partials.iter().map(|p| (p.size, p.busy)).collect::<Vec<_>>(), [(3, true)]);
    ingest.write(b"lo").unwrap();
    ingest.verify().unwrap().publish().unwrap();
    assert_eq!(store.read(&digest).unwrap(), b"hello");
    assert!(store.partials().unwrap().is_empty());
}

#[test]
fn too_few_bytes_stay_and_wrong_ones_do_not() {
    let (_root, store, digest) = begun(b"he");
    let mut ingest = store.resume(&digest, 5).unwrap();
    replay(&mut ingest);
    ingest.write(b"l").unwrap();
    assert!(matches!(ingest.verify(), Err(Error::Length { actual: 3, .. })));
    let mut ingest = store.resume(&digest, 5).unwrap();
    assert_eq!(replay(&mut ingest), b"hel");
    ingest.write(b"la").unwrap();
    assert!(matches!(ingest.verify(), Err(Error::Digest { .. })));
    assert!(store.partials().unwrap().is_empty());
    let mut ingest = store.resume(&digest, 5).unwrap();
    assert!(matches!(ingest.write(b"hello!"), Err(Error::Length { actual: 6, .. })));
    drop(ingest);
    assert!(store.partials().unwrap().is_empty());
}

#[test]
fn more_than_the_whole_is_of_no_use() {
    let (_root, store, _) = begun(b"hello");
    let ingest = store.resume(&Digest::of(b"hello"), 4).unwrap();
    assert_eq!(ingest.unread(), 0);
    ingest.give_up();
    assert!(store.partials().unwrap().is_empty());
}

#[test]
fn one_takes_it_at_a_time() {
    let (_root, store, digest) = begun(b"");
    let mut first = store.resume(&digest, 5).unwrap();
    let second = {
        let (store, digest) = (store.clone(), digest.clone());
        std::thread::spawn(move || store.resume(&digest, 5).unwrap().unread())
    };
    first.write(b"hello").unwrap();
    first.verify().unwrap().publish().unwrap();
    // What the first had is no longer to be gone on with: it is whole, and has another name.
    assert_eq!(second.join().unwrap(), 0);
    assert_eq!(store.read(&digest).unwrap(), b"hello");
}

#[test]
fn what_nobody_is_at_can_be_forgotten() {
    let (_root, store, digest) = begun(b"hel");
    let mut busy = store.resume(&Digest::of(b"other"), 5).unwrap();
    busy.write(b"ot").unwrap();
    assert_eq!(store.forget_partials().unwrap(), 3);
    let left: Vec<Digest> = store.partials().unwrap().into_iter().map(|partial| partial.digest).collect();
    assert_eq!(left, [Digest::of(b"other")]);
    assert_eq!(store.resume(&digest, 5).unwrap().unread(), 0);
}

#[test]
fn what_nobody_came_back_for_goes() {
    let (root, store, digest) = begun(b"hel");
    let file = root.path().join("partial").join(format!("sha256-{}", digest.hex()));
    let old = SystemTime::now() - Duration::from_secs(4 * 24 * 60 * 60);
    File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    std::fs::write(root.path().join("partial/nonsense"), b"x").unwrap();
    assert!(store.partials().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(root.path().join("partial")).unwrap().count(), 0);
}
