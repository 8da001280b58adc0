//! Images and registries for tests and benchmarks: real ones, made from Debian's packages, none of them recorded.
//!
//! Everything here panics where it cannot go on: its callers are tests and chores, and the message is for whoever
//! runs them. Nothing of it is part of the product.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where by panicking")]

mod fault;
mod large;
mod layer;
mod layout;
mod registry;

pub use fault::{Fault, FaultProxy, Seen};
pub use large::large;
pub use layer::{Entry, busybox, debian, layer};
pub use layout::{Image, Layout, Packing, host_architecture};
pub use registry::{PASSWORD, Registry, USER};

use std::process::Command;

/// What images set, as most in the wild do.
pub const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program to its end and panics with what it said if it fails.
#[track_caller]
pub fn command(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?} failed: {text}");
}
