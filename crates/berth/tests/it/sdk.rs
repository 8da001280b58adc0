//! Docker's Python SDK against our socket.

use std::process::Command;

use crate::host::{Cli, Done, Host};

/// `cargo xtask check --install` makes it.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/python/bin/python");

#[test]
fn python_drives_a_container() {
    let host = Host::start(Cli::Ours);
    let image = host.image();
    let output = Command::new(PYTHON)
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sdk.py"), &image])
        .env("DOCKER_HOST", host.address())
        .output()
        .expect("`cargo xtask check --install` has made the Python environment");
    let done = Done::from(output);
    assert!(done.ok(), "{}{}", done.out, done.err);
    assert_eq!(done.out.lines().last(), Some("all of it works"));
}
