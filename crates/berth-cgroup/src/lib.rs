//! Control groups, v1 and v2: where a container's processes are counted and limited.
//!
//! Owns: finding the host's hierarchies ([`Hierarchy`]), one container's groups in all of them ([`Cgroup`]), the
//! translation of an OCI `LinuxResources` into the kernel's files, and device access on both versions.
//! Does not know: containers, images, or how a process is born. A process enters by itself through [`Entrance`].
//!
//! Start reading at [`Cgroup::create`].

mod cgroup;
mod devices;
mod error;
mod file;
mod freezer;
mod hierarchy;
mod limits;
mod members;
mod oom;
mod stats;
mod systemd;
mod tree;

pub use cgroup::{Cgroup, Created, Driver, Entrance, Freezer, Options};
pub use error::Error;
pub use hierarchy::{Hierarchy, Mode, Mount};
pub use oom::OomWatch;
pub use stats::{BlkioEntry, BlkioStats, CpuStats, HugetlbStats, MemoryStats, PidsStats, RdmaStats, Stats};
