//! The project's own chores: `cargo xtask check|tidy|bench|fuzz|soak|upgrade|vm|units|power`.
//!
//! `check` is everything that the gate runs. Start reading there.

mod bench;
mod check;
mod install;
mod soak;
mod tidy;
mod upgrade;
mod vm;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo xtask COMMAND

  check [--install]   everything the gate runs; --install first installs what the tests need
  bench run [--rounds N] [--json FILE] [--floor FILE]
                      berth beside the installed peers, interleaved, with ratios
  bench streams [--rounds N] [--json FILE]
                      the same for logs, attach and exec
  bench containers [--rounds N] [--json FILE]
                      the same for commit, diff and cp, and for hundreds of containers; each measures the program
                      that BERTH_BENCH_PROGRAM names, or builds one
  bench images [--rounds N] [--json FILE]
                      the same for pull, push, save, load, rmi and the list of images, on an ext4 of their own,
                      fresh and after twenty rounds of pull and rmi; wants 40 GB where temporary files go
  fuzz [SECONDS]      spoilt input for everything that reads what strangers wrote, 60 seconds each
  soak ROUNDS         the tests in which chance decides, many times over
  upgrade PREVIOUS    containers that the program PREVIOUS started, taken up by this one
  vm VMRUN ENGINE [FILTER…]
                      the promised rows in a virtual machine; VMRUN is the program that boots it
  units VMRUN ENGINE [FILTER…]
                      the daemon as a service of systemd, in such a machine
  power VMRUN ENGINE ROUNDS
                      restart policies and images around a power cut of such a machine
  tidy                crate dependencies, module headers, test registration, licences
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["check"] => check::run(),
        ["check", "--install"] => install::run().and_then(|()| check::run()),
        ["bench", "run", options @ ..] => measure(bench::Subject::Starts, options),
        ["bench", "streams", options @ ..] => measure(bench::Subject::Streams, options),
        ["bench", "containers", options @ ..] => measure(bench::Subject::Containers, options),
        ["bench", "images", options @ ..] => measure(bench::Subject::Images, options),
        ["fuzz"] => fuzz("60"),
        ["fuzz", seconds] => fuzz(seconds),
        ["soak", rounds] => soak::run(rounds),
        ["upgrade", previous] => upgrade::run(previous),
        ["vm", vmrun, engine, filters @ ..] => vm::run(vmrun, engine, filters),
        ["units", vmrun, engine, filters @ ..] => vm::units(vmrun, engine, filters),
        ["power", vmrun, engine, rounds] => vm::power(vmrun, engine, rounds),
        ["tidy"] => tidy::run(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(seconds: &str) -> Result<()> {
    run("cargo", &["run", "--quiet", "--package", "berth-fuzz", "--", seconds])
}

fn measure(subject: bench::Subject, options: &[&str]) -> Result<()> {
    bench::run(&bench::Options::parse(subject, options)?)
}

/// The workspace's root.
fn root() -> &'static std::path::Path {
    std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Runs a program in the workspace's root, showing what it is, and fails if it does.
fn run(program: &str, args: &[&str]) -> Result<()> {
    eprintln!("+ {program} {}", args.join(" "));
    let status = command(program).args(args).status();
    let status = status.with_context(|| format!("{program} could not be started"))?;
    if !status.success() {
        bail!("`{program} {}` ended with {status}", args.join(" "));
    }
    Ok(())
}

/// A program in the workspace's root. What cargo says of *this* package, a cargo below it must not hear: build scripts
/// that watch those variables would have half the workspace compiled anew.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
        command.env_remove(name);
    }
    command.current_dir(root());
    command
}
