//! Everything the gate runs, in the order in which it fails soonest.

use anyhow::Result;

use crate::tidy;

/// The whole gate.
pub(crate) fn run() -> Result<()> {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    crate::run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    // All of them, also behind a failed one: who mends something wants to see everything that wants mending. Properties
    // meet the same cases each time, so that a failure speaks of the change; `soak` looks for new ones.
    let tests = ["PROPTEST_RNG_SEED=1", "cargo", "test", "--workspace", "--quiet", "--no-fail-fast"];
    crate::run("env", &tests)
}
