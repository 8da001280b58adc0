//! Row A120 around a power cut: `cargo xtask power` runs the first of these in a virtual machine, cuts its power, boots
//! it again and runs the second. Nowhere else can they show anything, so they are ignored there, by name.

use std::path::Path;

use crate::host::{Cli, Host};
use crate::restart::Matrix;

/// On a disk of the machine that keeps what it has been told to keep.
const ROOT: &str = "/var/lib/berth-power";

#[test]
#[ignore = "the first half of what `cargo xtask power` does"]
fn a120_before_the_power_cut() {
    let host = Host::start_at(Cli::Ours, Path::new(ROOT));
    Matrix::make(&host);
    host.run(&["run", "-d", "--rm", "--name", "temporary", &host.image(), "sleep", "3000"]);
    // Nobody ends in an orderly way when the power goes.
    std::mem::forget(host);
}

#[test]
#[ignore = "the second half of what `cargo xtask power` does"]
fn a120_after_the_power_cut() {
    let host = Host::start_at(Cli::Ours, Path::new(ROOT));
    Matrix::after_a_reboot(&host);
    assert!(!host.try_run(&["inspect", "temporary"]).ok(), "a --rm container does not survive a reboot");
}
