//! Older records are migrated; newer ones, and newer databases, are refused rather than misread.

use berth_state::{Durability, Error, Record, Result, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Note, note, scratch};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NoteV3 {
    number: u64,
    title: String,
}

impl Record for NoteV3 {
    const KIND: &'static str = "note";
    const VERSION: u32 = 3;

    fn migrate(version: u32, body: Value) -> Result<Value> {
        assert_eq!(version, 1);
        Ok(json!({ "number": body["number"], "title": body["text"] }))
    }
}

#[test]
fn an_older_record_is_migrated_on_reading() {
    let (_directory, store) = scratch();
    store.write(Durability::Relaxed, |tx| tx.put("a", &note(7))).unwrap();
    let read = store.read(|r| r.get::<NoteV3>("a")).unwrap();
    assert_eq!(read, Some(NoteV3 { number: 7, title: "note 7".into() }));
}

#[test]
fn a_newer_record_is_refused() {
    let (_directory, store) = scratch();
    store.write(Durability::Relaxed, |tx| tx.put("a", &NoteV3 { number: 1, title: String::new() })).unwrap();
    let error = store.read(|r| r.get::<Note>("a")).unwrap_err();
    assert!(matches!(error, Error::NewerRecord { kind: "note", found: 3, known: 1, .. }), "{error}");
    assert!(store.read(|r| r.list::<Note>()).is_err());
}

#[test]
fn an_unknown_older_record_is_refused() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Later {}
    impl Record for Later {
        const KIND: &'static str = "note";
        const VERSION: u32 = 2;
    }
    let (_directory, store) = scratch();
    store.write(Durability::Relaxed, |tx| tx.put("a", &note(7))).unwrap();
    assert!(matches!(store.read(|r| r.get::<Later>("a")), Err(Error::Migrate { found: 1, known: 2, .. })));
}

#[test]
fn a_newer_database_is_refused() {
    let (directory, store) = scratch();
    drop(store);
    let path = directory.path().join("state.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(Store::open(&path), Err(Error::NewerFormat { found: 2, known: 1, .. })));
}
