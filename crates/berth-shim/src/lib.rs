//! One small process a container: its parent, its stdio, its log and its exit status.
//!
//! The shim is what lets a container outlive the daemon: it clones init, is its parent and subreaper, owns its
//! pipes or pty, writes its log, records how it ended, and serves whoever connects to its socket. It knows nothing of
//! images, networks, names or HTTP.
//!
//! Start reading at [`protocol`] (what is said), then [`client`] (the engine's side), `server` (the event loop) and
//! `relay` (how output travels).

mod address;
pub mod client;
mod clock;
mod container;
mod foreign;
mod init;
mod log;
mod poller;
pub mod protocol;
mod record;
mod relay;
mod server;
mod session;
mod stdio;

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::process::ExitCode;

pub use init::init_main;
pub use record::ExitRecord;

/// Runs `berth shim ID`: serves the protocol on the socket that is standard input until the container is over.
/// `args` is the whole argument vector; the id in it is there for people who read process lists.
#[must_use]
pub fn main(args: Vec<OsString>) -> ExitCode {
    drop(args);
    // It holds no directory of whoever started it.
    if std::env::set_current_dir("/").is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(socket) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    match server::run(socket) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever started us reads the reason on the socket; here is only a null device.
        Err(_) => ExitCode::FAILURE,
    }
}
