//! Reading back what was written; transactions; concurrency.

use std::collections::BTreeMap;

use berth_state::{Durability, Error, Store};
use proptest::prelude::*;

use crate::{Note, note, scratch};

#[test]
fn put_get_list_delete() {
    let (_directory, store) = scratch();
    store
        .write(Durability::Synced, |tx| {
            tx.put("a/1", &note(1))?;
            tx.put("a/2", &note(2))?;
            tx.put("b%", &note(3))
        })
        .unwrap();
    assert_eq!(store.read(|r| r.get::<Note>("a/1")).unwrap(), Some(note(1)));
    assert_eq!(store.read(|r| r.get::<Note>("zz")).unwrap(), None);
    assert!(store.read(|r| r.exists::<Note>("b%")).unwrap());
    let keys: Vec<_> = store.read(|r| r.list_prefix::<Note>("a/")).unwrap().into_iter().map(|(k, _)| k).collect();
    assert_eq!(keys, ["a/1", "a/2"]);
    assert!(store.write(Durability::Relaxed, |tx| tx.delete::<Note>("a/1")).unwrap());
    assert!(!store.write(Durability::Relaxed, |tx| tx.delete::<Note>("a/1")).unwrap());
    assert_eq!(store.read(|r| r.list::<Note>()).unwrap().len(), 2);
}

#[test]
fn survives_reopening() {
    let (directory, store) = scratch();
    store.write(Durability::Relaxed, |tx| tx.put("a", &note(1))).unwrap();
    drop(store);
    let store = Store::open(&directory.path().join("state.db")).unwrap();
    assert_eq!(store.read(|r| r.get::<Note>("a")).unwrap(), Some(note(1)));
}

#[test]
fn a_failed_write_leaves_nothing_and_harms_no_other() {
    let (_directory, store) = scratch();
    let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
    let (held, waiting) = (gate.clone(), store.clone());
    // Holds the writer until the others queue, so that they share one commit.
    let holder = std::thread::spawn(move || {
        waiting.write(Durability::Relaxed, move |_| {
            held.wait();
            Ok(())
        })
    });
    let writers: Vec<_> = (0..8_u64)
        .map(|n| {
            let store = store.clone();
            std::thread::spawn(move || {
                store.write(Durability::Synced, move |tx| {
                    tx.put(&n.to_string(), &note(n))?;
                    if n % 2 == 1 { Err(Error::Closed) } else { Ok(n) }
                })
            })
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(30));
    gate.wait();
    holder.join().unwrap().unwrap();
    let succeeded = writers.into_iter().map(|w| w.join().unwrap()).filter(Result::is_ok).count();
    assert_eq!(succeeded, 4);
    let numbers: Vec<_> = store.read(|r| r.list::<Note>()).unwrap().into_iter().map(|(_, n)| n.number).collect();
    assert_eq!(numbers, [0, 2, 4, 6]);
}

#[derive(Debug, PartialEq)]
enum Taken {
    Name,
    State(String),
}

impl From<Error> for Taken {
    fn from(error: Error) -> Self {
        Self::State(error.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_brings_its_own_error() {
    let (_directory, store) = scratch();
    let claim = |store: Store| async move {
        store
            .try_write_async(Durability::Relaxed, |tx| {
                if tx.exists::<Note>("web")? {
                    return Err(Taken::Name);
                }
                Ok(tx.put("web", &note(1))?)
            })
            .await
    };
    assert_eq!(claim(store.clone()).await, Ok(()));
    assert_eq!(claim(store.clone()).await, Err(Taken::Name));
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u64),
    Delete(u8),
    /// Everything up to here in one transaction; kept or not.
    End(bool),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    /// Whatever is written, kept and undone, the store says what a map would.
    #[test]
    fn behaves_like_a_map(steps in proptest::collection::vec(prop_oneof![
        (0..6_u8, any::<u64>()).prop_map(|(k, v)| Step::Put(k, v)),
        (0..6_u8).prop_map(Step::Delete),
        any::<bool>().prop_map(Step::End),
    ], 1..60)) {
        let (_directory, store) = scratch();
        let mut model = BTreeMap::new();
        let mut pending = Vec::new();
        for step in steps {
            let Step::End(keep) = step else { pending.push(step); continue };
            let batch = std::mem::take(&mut pending);
            if keep {
                for step in &batch {
                    match step {
                        Step::Put(k, v) => drop(model.insert(k.to_string(), *v)),
                        Step::Delete(k) => drop(model.remove(&k.to_string())),
                        Step::End(_) => {}
                    }
                }
            }
            let written = store.write(Durability::Relaxed, move |tx| {
                for step in batch {
                    match step {
                        Step::Put(k, v) => tx.put(&k.to_string(), &note(v))?,
                        Step::Delete(k) => drop(tx.delete::<Note>(&k.to_string())?),
                        Step::End(_) => {}
                    }
                }
                if keep { Ok(()) } else { Err(Error::Closed) }
            });
            prop_assert_eq!(written.is_ok(), keep);
        }
        let found: BTreeMap<_, _> =
            store.read(|r| r.list::<Note>()).unwrap().into_iter().map(|(k, n)| (k, n.number)).collect();
        prop_assert_eq!(found, model);
    }
}
