//! Which OCI runtimes containers can be run by: ours, and those that the daemon was told of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use berth_shim::protocol::RuntimePlan;

use crate::{Error, Result};

/// Our own runtime's name.
pub const OWN: &str = "berth";

/// Names that clients of Docker use for what is ours here, unless another runtime was given that name.
const ALIASES: [&str; 3] = ["runc", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux"];

/// A runtime that is not ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    /// The program.
    pub path: PathBuf,
    /// Arguments before the command.
    pub args: Vec<String>,
}

/// The runtimes by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtimes {
    /// Of containers that name none.
    pub default: String,
    /// Those that are not ours.
    pub foreign: BTreeMap<String, Foreign>,
}

impl Default for Runtimes {
    fn default() -> Self {
        Self { default: OWN.to_owned(), foreign: BTreeMap::new() }
    }
}

impl Runtimes {
    /// What a name stands for; nothing: the default.
    ///
    /// # Errors
    /// Nobody has that name.
    pub fn resolve(&self, name: &str) -> Result<String> {
        let name = if name.is_empty() { self.default.as_str() } else { name };
        match () {
            () if name == OWN || self.foreign.contains_key(name) => Ok(name.to_owned()),
            () if ALIASES.contains(&name) => Ok(OWN.to_owned()),
            () => Err(Error::Invalid(format!("unknown or invalid runtime name: {name}"))),
        }
    }

    /// What a shim is to execute for a container of that runtime; `None`: it is ours.
    pub(crate) fn plan(&self, name: &str) -> Result<Option<RuntimePlan>> {
        let resolved = if name.is_empty() { OWN.to_owned() } else { self.resolve(name)? };
        let foreign = self.foreign.get(&resolved);
        Ok(foreign.map(|one| RuntimePlan { path: one.path.clone(), args: one.args.clone() }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn names() {
        let mut runtimes = Runtimes::default();
        for name in ["", "berth", "runc", "io.containerd.runc.v2"] {
            assert_eq!(runtimes.resolve(name).unwrap(), "berth");
        }
        let text = runtimes.resolve("crun").unwrap_err().to_string();
        assert_eq!(text, "unknown or invalid runtime name: crun");
        let foreign = Foreign { path: "/usr/sbin/runc".into(), args: vec!["--debug".into()] };
        runtimes.foreign.insert("runc".into(), foreign);
        runtimes.default = "runc".into();
        assert_eq!(runtimes.resolve("").unwrap(), "runc");
        assert_eq!(runtimes.plan("runc").unwrap().unwrap().args, ["--debug"]);
        // Containers of before there were others are ours.
        assert_eq!(runtimes.plan("").unwrap(), None);
    }
}
