//! `cargo xtask vm`: the promised rows in a virtual machine with another kernel, cgroup v2 and systemd.
//!
//! The machine is made by `vmrun`, a program beside this project; it boots the guest, shares the checkout at its own
//! path, runs one command and throws the guest away.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::root;

/// What the tests need in the guest besides what a Docker host has.
const PACKAGES: &str = "docker-registry,skopeo,tmux,podman,buildah,umoci,bzip2,xz-utils,zstd,openssl,apparmor";

/// `vm VMRUN ENGINE [FILTER…]`: every row whose name contains one of the filters, or all.
pub(crate) fn run(vmrun: &str, engine: &str, filters: &[&str]) -> Result<()> {
    rows(vmrun, engine, &[&["--test-threads=2"], filters].concat())
}

/// `units VMRUN ENGINE [FILTER…]`: the daemon as systemd's service, one test after another.
pub(crate) fn units(vmrun: &str, engine: &str, filters: &[&str]) -> Result<()> {
    let filters = if filters.is_empty() { &["units::"] } else { filters };
    rows(vmrun, engine, &[&["--test-threads=1", "--ignored"], filters].concat())
}

fn rows(vmrun: &str, engine: &str, wanted: &[&str]) -> Result<()> {
    let tests = test_binary(engine)?;
    // The guest has no network to make it from.
    drop(berth_fixtures::debian(&fixtures(&tests)?));
    let share = share()?;
    let path = format!("PATH={}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", client()?);
    let machine = machine(engine, &share);
    crate::run(vmrun, &[&["exec"], &machine[..], &["--time", "--", "env", &path, &tests], wanted].concat())
}

/// The checkout, which the guest sees at its own path.
fn share() -> Result<String> {
    let checkout = root().canonicalize()?.display().to_string();
    Ok(format!("{checkout}:{checkout}"))
}

/// What every machine is like.
fn machine<'a>(engine: &'a str, share: &'a str) -> [&'a str; 8] {
    ["--engine", engine, "--packages", PACKAGES, "--mem", "3G", "--share", share]
}

/// `power VMRUN ENGINE ROUNDS`: row A120's matrix around a power cut, and images that come and go until one; on fresh
/// machines each round.
pub(crate) fn power(vmrun: &str, engine: &str, rounds: &str) -> Result<()> {
    let rounds: u32 = rounds.parse()?;
    let tests = test_binary(engine)?;
    let share = share()?;
    let machine = machine(engine, &share);
    let test = |name: &str| format!("{tests} --nocapture --include-ignored --exact reboot::{name}");
    let [before, after] = ["a120_before_the_power_cut", "a120_after_the_power_cut"].map(test);
    let [until, then] = ["images_until_the_power_cut", "images_after_the_power_cut"].map(test);
    let restarts = ["--prepare", &before, "--check", &after, "--after", "0-1", "--", "sleep", "10"];
    let images = ["--disk", "64M:ext4:/journal", "--check", &then, "--after", "20-40", "--", "sh", "-c", &until];
    for round in 1..=rounds {
        for scene in [&restarts[..], &images[..]] {
            eprintln!("round {round} of {rounds}");
            crate::run(vmrun, &[&["powerfail"], &machine[..], scene].concat())?;
        }
    }
    Ok(())
}

/// A directory that the guest sees, with the `docker` command line of this host: tests compare its texts, and the
/// guest's is of another version.
fn client() -> Result<String> {
    let found = crate::command("which").arg("docker").output().context("which docker")?;
    let program = String::from_utf8(found.stdout).context("the path of docker")?;
    let directory = root().join("target/vm");
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    std::fs::copy(program.trim(), directory.join("docker")).with_context(|| format!("copying {program:?}"))?;
    Ok(directory.canonicalize()?.display().to_string())
}

/// Where the tests look for what is made once (`CARGO_TARGET_TMPDIR`): `tmp` beside the profile's directory.
fn fixtures(tests: &str) -> Result<PathBuf> {
    let target = Path::new(tests).ancestors().nth(3).with_context(|| tests.to_owned())?;
    let directory = target.join("tmp");
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    Ok(directory)
}

/// The integration tests of the `berth` package, built; static, so that any guest runs them. An emulated processor
/// (`tcg`) takes minutes over a test that is not optimised.
fn test_binary(engine: &str) -> Result<String> {
    let mut args = vec!["test", "--package", "berth", "--test", "it", "--no-run", "--message-format", "json"];
    if engine == "tcg" {
        args.push("--release");
    }
    let output = crate::command("cargo").args(args).output().context("cargo test --no-run")?;
    if !output.status.success() {
        bail!("the tests do not build: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout).context("cargo prints JSON")?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut found = messages.filter(|message| message["target"]["name"] == "it" && message["executable"].is_string());
    let message = found.next().context("cargo names no executable for the tests")?;
    let path = message["executable"].as_str().unwrap_or_default();
    Ok(Path::new(path).canonicalize().with_context(|| path.to_owned())?.display().to_string())
}
