//! Which program am I?
//!
//! One binary is the command line, the daemon, the shim and the OCI runtime. The first argument decides, and each
//! part starts without paying for the others: the shim and the runtime run before any argument parser is built.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A link of this name is the OCI runtime: engines that are told a runtime's path cannot add a word to it.
const RUNTIME: &str = "berth-runtime";

/// The name of the small init that `--init` puts into a container.
const INIT: &str = "docker-init";

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    if called(&args) == Some(INIT) {
        return berth_shim::init_main(args);
    }
    if called(&args) == Some(RUNTIME) {
        args.insert(1, "runtime".into());
    }
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("shim") => berth_shim::main(args),
        Some("runtime") => berth_runtime::main(args),
        Some("daemon") => berth_daemon::main(args),
        _ => berth_cli::main(args),
    }
}

/// The name that the program was started by.
fn called(args: &[OsString]) -> Option<&str> {
    Path::new(args.first()?).file_name()?.to_str()
}
