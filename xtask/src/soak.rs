//! `cargo xtask soak`: what the gate has no time for, many times over.

use anyhow::Result;

/// The tests in which chance decides: crashes, races, hostile neighbours.
const TESTS: [&str; 4] = ["recovery", "hostile", "a014", "interaction"];

/// Runs them `rounds` times, and every property test with many more cases.
pub(crate) fn run(rounds: &str) -> Result<()> {
    let rounds: u32 = rounds.parse()?;
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        crate::run("cargo", &[&["test", "--quiet", "--package", "berth", "--test", "it", "--"], &TESTS[..]].concat())?;
    }
    crate::run("env", &["PROPTEST_CASES=20000", "cargo", "test", "--quiet", "--workspace", "--lib"])
}
