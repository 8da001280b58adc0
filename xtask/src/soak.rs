//! `cargo xtask soak`: what the gate has no time for, many times over.

use anyhow::Result;

/// The tests in which chance decides: crashes, races, hostile neighbours.
const TESTS: [&str; 5] = ["recovery", "hostile", "a014", "interaction", "faults"];

/// Where properties stand beside a crate.
const PROPERTIES: [&str; 6] =
    ["berth-erofs", "berth-image", "berth-oci", "berth-seccomp", "berth-state", "berth-template"];

/// Runs them `rounds` times, and every property test with many more cases.
pub(crate) fn run(rounds: &str) -> Result<()> {
    let rounds: u32 = rounds.parse()?;
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        crate::run("cargo", &[&["test", "--quiet", "--package", "berth", "--test", "it", "--"], &TESTS[..]].concat())?;
    }
    let kills =
        ["BERTH_KILLS=200", "cargo", "test", "--package", "berth", "--test", "it", "--", "--nocapture", "killed"];
    crate::run("env", &kills)?;
    let many = ["BERTH_SCALE=200", "cargo", "test", "--quiet", "--package", "berth", "--test", "it", "--", "scale"];
    crate::run("env", &many)?;
    crate::run("env", &["PROPTEST_CASES=20000", "cargo", "test", "--quiet", "--workspace", "--lib"])?;
    let packages = PROPERTIES.map(|package| ["--package", package]).concat();
    crate::run("env", &[&["PROPTEST_CASES=20000", "cargo", "test", "--quiet", "--test", "it"], &packages[..]].concat())
}
