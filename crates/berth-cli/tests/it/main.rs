//! The command line against a daemon that only plays one: which calls it makes, what it prints, how it ends.
//!
//! The program under test is this test binary itself: run with `CLI_ARGS` set, the test [`as_cli`] is the command
//! line and nothing else.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod daemon;
mod lists;
mod objects;
mod runs;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, ExitCode, Stdio, Termination as _};

/// What the test harness prints before our test begins.
const HARNESS: &str = "\nrunning 1 test\ntest as_cli ... ";

/// Separates arguments in `CLI_ARGS`.
const SEPARATOR: char = '\u{1f}';

#[test]
fn as_cli() {
    let Ok(args) = std::env::var("CLI_ARGS") else { return };
    let args: Vec<OsString> = args.split(SEPARATOR).map(OsString::from).collect();
    let code: ExitCode = berth_cli::main(args);
    std::process::exit(code.report().number());
}

/// The number in an exit code, which the standard library keeps to itself.
trait Number {
    fn number(self) -> i32;
}

impl Number for ExitCode {
    fn number(self) -> i32 {
        (0..=255u8).find(|n| ExitCode::from(*n) == self).map_or(255, i32::from)
    }
}

/// How a command line ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    out: String,
    err: String,
    code: i32,
}

/// Runs the command line with `input` as standard input.
fn cli_with(host: &str, args: &[&str], input: &[u8]) -> Ended {
    let words: Vec<&str> = std::iter::once("docker").chain(args.iter().copied()).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_cli", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env("CLI_ARGS", words.join(&SEPARATOR.to_string()))
        .env("DOCKER_HOST", host)
        .env("HOME", "/nonexistent")
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input closes it early.
    _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    Ended {
        out: out.strip_prefix(HARNESS).unwrap_or(&out).to_owned(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

/// Runs the command line.
fn cli(host: &str, args: &[&str]) -> Ended {
    cli_with(host, args, b"")
}

#[test]
fn every_file_is_registered() {
    let source = include_str!("main.rs");
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for entry in std::fs::read_dir(here).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || source.contains(&format!("mod {module};")), "{name} is not registered");
    }
}

#[test]
fn nobody_listens() {
    let refused = "Cannot connect to the Docker daemon at unix:///nope. Is the docker daemon running?\n";
    let ps = cli("unix:///nope", &["ps"]);
    assert_eq!((ps.err.as_str(), ps.code), (refused, 1));
    let run = cli("unix:///nope", &["run", "x"]);
    assert_eq!(run.err, format!("docker: {refused}\nRun 'docker run --help' for more information\n"));
    assert_eq!(run.code, 125);
    let version = cli("unix:///nope", &["version"]);
    assert!(version.out.starts_with("Client:") && !version.out.contains("Server:"), "A009");
    assert_eq!((version.err.as_str(), version.code), (refused, 1));
}

#[test]
fn words_that_are_no_commands() {
    let unknown = cli("unix:///nope", &["rn"]);
    assert_eq!(
        unknown.err,
        "docker: unknown command: docker rn\n\nDid you mean: rm, run, rmi?\n\nRun 'docker --help' for more information\n"
    );
    assert_eq!(unknown.code, 1);
    let later = cli("unix:///nope", &["build", "x"]);
    assert_eq!((later.err.as_str(), later.code), ("docker: 'build' is not built yet (docs/not-yet.md)\n", 1));
    let grouped = cli("unix:///nope", &["image", "build", "x"]);
    assert_eq!(grouped.err, "docker: 'image build' is not built yet (docs/not-yet.md)\n");
}

#[test]
fn a121_typos() {
    let typo = cli("unix:///nope", &["run", "--it", "x"]);
    assert_eq!(
        typo.err,
        "unknown flag: --it\n\nUsage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'docker run --help' for more information\n"
    );
    assert_eq!(typo.code, 125);
}

#[test]
fn arguments_are_counted() {
    let few = cli("unix:///nope", &["rmi"]);
    assert_eq!(
        few.err,
        "docker: 'docker rmi' requires at least 1 argument\n\nUsage:  docker rmi [OPTIONS] IMAGE [IMAGE...]\n\nSee 'docker rmi --help' for more information\n"
    );
    assert_eq!(few.code, 1);
    let many = cli("unix:///nope", &["container", "ls", "x"]);
    assert!(many.err.starts_with("docker: 'docker container ls' accepts no arguments\n"));
}

#[test]
fn a102_no_terminal() {
    let ended = cli("unix:///nope", &["run", "-it", "x"]);
    assert_eq!((ended.err.as_str(), ended.code), ("the input device is not a TTY\n", 1));
}
