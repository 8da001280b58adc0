//! The container's mounts. `options` reads the words, `source` opens what is to be mounted while still in the caller's
//! mount namespace, `place` finds or makes the mount points inside a root that may be hostile, `attach` does the
//! mounting in the newborn, `cgroups` knows the one file system that is a tree of mounts.

pub(crate) mod attach;
pub(crate) mod cgroups;
pub(crate) mod options;
pub(crate) mod place;
pub(crate) mod source;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use berth_sys::mount::Propagation;

/// One mount, ready to be made by the newborn.
#[derive(Debug)]
pub(crate) struct Mounting {
    /// Where, as the container sees it.
    pub(crate) target: PathBuf,
    /// What.
    pub(crate) what: What,
    /// What it is called in an error's sentence.
    pub(crate) name: String,
}

/// What is mounted.
#[derive(Debug)]
pub(crate) enum What {
    /// A detached tree, taken in the caller's mount namespace with its attributes set.
    Tree {
        /// The tree.
        tree: OwnedFd,
        /// Whether its root is a directory.
        directory: bool,
        /// Whether its root is a procfs.
        proc: bool,
    },
    /// A file system made in the container's namespaces.
    New(New),
    /// The container's control groups.
    Cgroups(cgroups::Plan),
}

/// A file system to make.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) flags: Vec<&'static str>,
    pub(crate) data: Vec<(String, Option<String>)>,
    pub(crate) attributes: u64,
    pub(crate) recursive: options::Change,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) copy_up: bool,
    /// Made read-only when everything else is done: mount points and devices are made in it before.
    pub(crate) readonly_last: bool,
}
