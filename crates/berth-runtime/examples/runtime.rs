//! `berth runtime` alone, for this crate's tests and for trying it under other engines: `runtime create …`.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The program's arguments begin at its command; those of `berth` have the word `runtime` before it.
    let mut args: Vec<OsString> = std::env::args_os().collect();
    args.insert(1, OsString::from("runtime"));
    berth_runtime::main(args)
}
