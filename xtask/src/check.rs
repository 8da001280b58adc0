//! Everything the gate runs, in the order in which it fails soonest.

use anyhow::Result;

use crate::tidy;

/// The whole gate.
pub(crate) fn run() -> Result<()> {
    crate::run("cargo", &["fmt", "--all", "--check"])?;
    tidy::run()?;
    crate::run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])?;
    crate::run("cargo", &["test", "--workspace", "--quiet"])
}
