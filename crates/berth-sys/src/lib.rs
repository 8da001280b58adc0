//! The system calls that no crate wraps, each as a safe function over owned and borrowed descriptors.
//!
//! This is the one crate where `unsafe` is allowed: every block is one operation and says why it is sound. It owns no
//! policy and knows nothing of containers; a module reads like the manual page of what it wraps.

/// A process id as the host's (the caller's) pid namespace numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPid(pub i32);

impl std::fmt::Display for HostPid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
