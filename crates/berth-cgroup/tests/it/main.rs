//! Cgroups of this host, and v2's files played by a temporary directory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod host;
mod life;
mod limits;
mod processes;
mod v2_files;
