//! Everything the gate runs, in the order in which it fails soonest.

use anyhow::Result;

use crate::tidy;

/// The whole gate.
pub(crate) fn run() -> Result<()> {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    crate::run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    // All of them, also behind a failed one: who mends something wants to see everything that wants mending.
    crate::run("cargo", &["test", "--workspace", "--quiet", "--no-fail-fast"])
}
