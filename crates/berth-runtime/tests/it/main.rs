//! The OCI command line, driven with bundles made from a static busybox.
//!
//! `BERTH_TEST_RUNTIME=runc` points the same tests at another runtime, which shows that the test is right; what only we
//! promise is skipped there by name. Needs root. Each test asserts that nothing is left of it.
//!
//! The program is the example `runtime`, which `cargo test --package berth-runtime` builds and `--test it` alone does not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundle;
mod hooks;
mod hostile;
mod lifecycle;
mod mounts;
mod namespaces;
mod process;
mod terminal;
