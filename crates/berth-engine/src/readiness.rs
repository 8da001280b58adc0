//! Descriptors on the event loop.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the event loop. `T`'s descriptor must stay the same for life, as those of this crate do: each is
/// an owned descriptor that is never replaced.
#[allow(deprecated, reason = "the successor is unsafe for types whose descriptor changes; ours are owned and fixed")]
pub(crate) fn register<T: AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::new(inner)
}
