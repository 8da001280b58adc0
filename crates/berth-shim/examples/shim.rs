//! The shim as a program of its own, for the integration tests: `shim ID`, and as `docker-init` the container's init.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    match args.first() {
        Some(name) if name.as_encoded_bytes().ends_with(b"docker-init") => berth_shim::init_main(args),
        _ => berth_shim::main(args),
    }
}
