//! Control groups, v1 and v2: where a container's processes are counted and limited.
//!
//! Owns: finding the host's hierarchies ([`Hierarchy`]), one container's groups in all of them ([`Cgroup`]), the
//! translation of an OCI `LinuxResources` into the kernel's files, and device access on both versions.
//! Does not know: containers, images, or how a process is born. A process enters by itself through [`Entrance`].
//!
//! Start reading at [`Cgroup::create`].

mod cgroup;
mod error;
mod hierarchy;
mod oom;
mod stats;

pub use cgroup::{Cgroup, Created, Driver, Entrance, Freezer, Options};
pub use error::Error;
pub use hierarchy::{Hierarchy, Mode, Mount};
pub use oom::OomWatch;
pub use stats::{BlkioEntry, BlkioStats, CpuStats, HugetlbStats, MemoryStats, PidsStats, RdmaStats, Stats};
