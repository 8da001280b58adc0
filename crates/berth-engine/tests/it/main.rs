//! The engine end to end, without a daemon: real containers of a busybox directory.
//!
//! This program is its own shim (as `berth` is), so it has a `main` instead of libtest's: a list of tests, run one after
//! another, chosen by substrings of their names as with libtest. Needs root.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod confinement;
mod exec;
mod harness;
mod life;
mod recovery;
mod stdio;
mod volumes;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

type Test = (&'static str, fn());

fn tests() -> Vec<Test> {
    [life::TESTS, stdio::TESTS, exec::TESTS, confinement::TESTS, recovery::TESTS, volumes::TESTS].concat()
}

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.first().is_some_and(|name| name.as_encoded_bytes().ends_with(b"docker-init")) {
        return berth_shim::init_main(args);
    }
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("shim") => return berth_shim::main(args),
        Some("victim") => return recovery::victim(&args[2..]),
        _ => {}
    }
    let wanted: Vec<String> =
        args[1..].iter().filter_map(|a| a.to_str()).filter(|a| !a.starts_with('-')).map(Into::into).collect();
    if args.iter().any(|a| a == "--list") {
        tests().iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    run(&wanted)
}

fn run(wanted: &[String]) -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        println!("these tests need root");
        return ExitCode::FAILURE;
    }
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .init();
    let chosen: Vec<Test> =
        tests().into_iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| name.contains(w))).collect();
    println!("\nrunning {} tests", chosen.len());
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let began = Instant::now();
        let ok = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {} ({} ms)", if ok { "ok" } else { "FAILED" }, began.elapsed().as_millis());
        if !ok {
            failed.push(name);
        }
    }
    println!("\n{} passed; {} failed: {failed:?}", chosen.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
