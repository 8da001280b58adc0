//! One target, for a while.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::chance::Chance;
use crate::targets::Target;

/// An answer takes microseconds; one that takes so long does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Feeds a target for so many seconds; tells whether all went well.
pub(crate) fn run(target: &Target, seconds: u64) -> Result<bool> {
    let (started, count, current) = (Instant::now(), AtomicU64::new(0), Mutex::new(Vec::new()));
    let limit = Duration::from_secs(seconds);
    let failed = std::thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(target, &count, &current, || started.elapsed() < limit));
        let (mut last, mut since) = (0, Instant::now());
        while !feeding.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
            let now = count.load(Ordering::Relaxed);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                let input = current.lock().map(|input| input.clone()).unwrap_or_default();
                let path = keep(target, &input);
                eprintln!("{}: no answer to the input kept in {}", target.name, path.display());
                // The thread cannot be stopped.
                std::process::exit(1);
            }
        }
        feeding.join().unwrap_or(Ok(true))
    })?;
    println!("{}: {} inputs in {} s", target.name, count.into_inner(), started.elapsed().as_secs());
    Ok(!failed)
}

/// Tells whether an input led to a panic.
fn feed(target: &Target, count: &AtomicU64, current: &Mutex<Vec<u8>>, go_on: impl Fn() -> bool) -> Result<bool> {
    let seeds = (target.seeds)();
    let scratch = tempfile::tempfile().context("making a scratch file")?;
    let mut chance = Chance::new(seconds_of_day());
    while go_on() {
        let input = target.input(&seeds, &mut chance);
        if let Ok(mut current) = current.lock() {
            current.clone_from(&input);
        }
        if !survives(target, &input, &scratch) {
            eprintln!("{}: the input is kept in {}", target.name, keep(target, &input).display());
            return Ok(true);
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(false)
}

fn survives(target: &Target, input: &[u8], scratch: &File) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.read)(input, scratch))).is_ok()
}

fn keep(target: &Target, input: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("berth-fuzz-{}-{}", target.name, std::process::id()));
    drop(fs::write(&path, input));
    path
}

fn seconds_of_day() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use crate::targets::TARGETS;

    /// The seeds themselves, and a few hundred changes that are the same every time.
    #[test]
    fn every_target_survives_a_little() {
        let scratch = tempfile::tempfile().unwrap();
        for target in TARGETS {
            let seeds = (target.seeds)();
            assert!(seeds.iter().all(|seed| survives(target, seed, &scratch)), "{}", target.name);
            let mut chance = Chance::new(7);
            for number in 0..400 {
                let input = target.input(&seeds, &mut chance);
                assert!(survives(target, &input, &scratch), "{} at {number}", target.name);
            }
        }
    }
}
