//! One small process a container: its parent, its stdio, its log and its exit status.
//!
//! The shim is what lets a container outlive the daemon: it clones init, is its parent and subreaper, owns its
//! pipes or pty, writes its log, records how it ended, and serves whoever connects to its socket. It knows nothing of
//! images, networks, names or HTTP.
//!
//! Start reading at [`protocol`] (what is said), then [`client`] (the engine's side).

mod address;
pub mod client;
pub mod protocol;
