//! `kill -9` while writing: what was acknowledged is there, and each transaction is whole.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use berth_state::{Durability, Store};

use crate::{Note, note};

/// Names the database to the process that is to be killed.
const VICTIM: &str = "BERTH_STATE_VICTIM";

/// The process that is killed: writes pairs for ever, and says each number once it is acknowledged.
#[test]
fn victim() {
    let Ok(path) = std::env::var(VICTIM) else { return };
    let store = Store::open(path.as_ref()).unwrap();
    for number in 0.. {
        let durability = if number % 2 == 0 { Durability::Synced } else { Durability::Relaxed };
        store
            .write(durability, move |tx| {
                tx.put(&format!("left/{number:08}"), &note(number))?;
                tx.put(&format!("right/{number:08}"), &note(number))
            })
            .unwrap();
        println!("\nacknowledged {number}");
    }
}

#[test]
fn kill_9_loses_nothing_acknowledged_and_halves_nothing() {
    for round in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::victim", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut acknowledged = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Some(number) = line.unwrap().strip_prefix("acknowledged ").and_then(|n| n.parse::<u64>().ok()) else {
                continue;
            };
            if number == 40 + round * 17 {
                child.kill().unwrap();
            }
            acknowledged = Some(number);
        }
        child.wait().unwrap();
        let acknowledged = acknowledged.expect("the victim wrote something");
        assert!(acknowledged >= 40);
        let store = Store::open(&path).unwrap();
        let left = store.read(|r| r.list_prefix::<Note>("left/")).unwrap();
        let right = store.read(|r| r.list_prefix::<Note>("right/")).unwrap();
        assert!(left.len() as u64 > acknowledged, "{} records, {acknowledged} acknowledged", left.len());
        assert!(left.iter().map(|(_, n)| n).eq(right.iter().map(|(_, n)| n)));
    }
}
