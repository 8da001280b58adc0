//! From an OCI runtime specification to a process, and the `berth runtime` command line over it.
//!
//! The crate owns how a container's processes are born: [`launch`] gives birth to an init, [`join`] adds a process to
//! a running container (exec). Both must be called from a single-threaded process, clone exactly once, and return when
//! the user's program has been executed (or the gate is reached). Errors from inside come back typed: step, object, errno.
//!
//! It does not know images, networks, logs or the Engine API, and it keeps no state between calls: the OCI command
//! line's state directory is [`main`]'s own business.
//!
//! Start reading at [`Launch`], then `launch.rs` (the parent's half) and `init.rs` (the child's half).

mod become_program;
mod capabilities;
mod channel;
mod cli;
mod copy_up;
mod devices;
mod error;
mod family;
mod hooks;
mod idmap;
mod init;
mod join;
mod kernel_settings;
mod launch;
mod listener;
mod mounts;
mod namespaces;
mod process;
mod program;
mod search;
mod terminal;

use std::ffi::OsString;
use std::process::ExitCode;

pub use berth_sys::HostPid;
pub use error::{Class, LaunchError, Step};
pub use join::{Join, join};
pub use launch::{Born, Launch, Root, Start, Stdio, launch};
pub use program::own_program;

/// Runs `berth runtime …`; `args` is the whole argument vector: the program, `runtime`, and what follows.
#[must_use]
pub fn main(args: Vec<OsString>) -> ExitCode {
    cli::main(args)
}
