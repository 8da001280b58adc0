//! Which program am I?
//!
//! One binary is the command line, the daemon, the shim and the OCI runtime. The first argument decides, and each
//! part starts without paying for the others: the shim and the runtime run before any argument parser is built.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("shim") => berth_shim::main(args),
        Some("runtime") => berth_runtime::main(args),
        Some("daemon") => berth_daemon::main(args),
        _ => berth_cli::main(args),
    }
}
