//! What an imported image starts from: Dockerfile instructions on nothing.

use berth_oci::ContainerConfig;

use super::config;
use crate::Result;

/// The configuration that instructions make.
///
/// # Errors
/// What is wrong with one.
pub fn config_of(changes: &[String]) -> Result<ContainerConfig> {
    let mut made = ContainerConfig::default();
    config::apply(&mut made, changes)?;
    Ok(made)
}
