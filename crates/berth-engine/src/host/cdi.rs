//! Devices by the Container Device Interface: files of the host that say what a container needs to use a device.
//!
//! [`inject`] answers device requests (`--gpus`, `--device vendor.com/class=name`). `spec.rs` reads the files, `edits.rs` changes
//! a runtime specification by them, `select.rs` finds what a request asks for.

mod edits;
mod select;
mod spec;

use std::path::PathBuf;

use oci_spec::runtime::Spec;

use crate::Result;
use crate::spec::DeviceRequest;

/// Where specifications are looked for unless told otherwise; a later directory counts before an earlier one.
pub const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// Gives a container the devices it asks for. Costs nothing where it asks for none.
pub(crate) fn inject(directories: &[PathBuf], requests: &[DeviceRequest], oci: &mut Spec) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let registry = spec::Registry::read(directories);
    for request in requests {
        let chosen = select::devices(&registry, request)?;
        edits::apply(&chosen, oci)?;
    }
    Ok(())
}
