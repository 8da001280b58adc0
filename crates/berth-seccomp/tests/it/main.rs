//! Compiled filters, run by an interpreter, by the kernel, and beside libseccomp.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod docker;
mod equivalence;
mod hostile;
mod interpreter;
mod kernel;
mod libseccomp;
mod oracle;
