//! How fast output is logged, read back and passed through: `cargo xtask bench streams`.

use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::cases::milliseconds;
use super::peer::{Peer, Stage};
use super::sample::{Table, Unit};

const WRITTEN: &str = "1,000,000 lines of 90 bytes, logged";
const REPLAYED: &str = "the same, `logs`";
const TAIL: &str = "the same, `logs --tail 1000`";
const ATTACHED: &str = "`run` of 1 GiB, stdout";
const EXEC_OUT: &str = "`exec` of 1 GiB, stdout";
const EXEC_IN: &str = "`exec -i` of 1 GiB, stdin";

const LINES: u32 = 1_000_000;
/// 89 characters, and the newline.
const LINE: &str = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234abcd";
const GIBIBYTE: usize = 1 << 30;
const BLOCK: usize = 1 << 20;

/// All cases on all peers, each round one after the other.
pub(crate) fn measure(stage: &Stage, peers: &[Peer], rounds: usize, table: &mut Table) -> Result<()> {
    let lines = stage.root().join("lines");
    std::fs::write(&lines, format!("{LINE}\n").repeat(LINES as usize))?;
    let lines = format!("{}:/lines:ro", lines.display());
    for round in 0..rounds + 1 {
        for peer in peers {
            // The first round warms up.
            let mut scratch = Table::default();
            once(peer, &lines, if round == 0 { &mut scratch } else { table }).with_context(|| peer.name.to_owned())?;
        }
    }
    Ok(())
}

fn once(peer: &Peer, lines: &str, table: &mut Table) -> Result<()> {
    // Every engine is to keep all of it; bounded logs would keep less, and be read faster.
    let options: &[&str] = match peer.name {
        "podman" => &["--log-driver", "k8s-file", "--log-opt", "max-size=1g"],
        "dockerd" => &["--log-driver", "json-file"],
        _ => &["--log-driver", "json-file", "--log-opt", "max-size=-1"],
    };
    let began = Instant::now();
    let args = ["run", "-d", "--network", "none", "-v", lines];
    // A file of lines: busybox's `yes` and `head` together take longer than some engines, and would be measured.
    let id = peer.run(&[&args[..], options, &[&peer.image, "cat", "/lines"]].concat())?;
    peer.run(&["wait", &id])?;
    table.add(WRITTEN, Unit::Milliseconds, peer.name, milliseconds(began.elapsed()));
    let expected = LINES as usize * (LINE.len() + 1);
    timed(peer, REPLAYED, &["logs", &id], expected, table)?;
    timed(peer, TAIL, &["logs", "--tail", "1000", &id], 1000 * (LINE.len() + 1), table)?;
    peer.run(&["rm", &id])?;
    passed_through(peer, table)
}

fn passed_through(peer: &Peer, table: &mut Table) -> Result<()> {
    // busybox's `head` writes a kibibyte at a time, and would be what is measured.
    let zeros = "dd if=/dev/zero bs=1M count=1024 2>/dev/null";
    let run = ["run", "--rm", "--network", "none", "--log-driver", "none", &peer.image, "sh", "-c", zeros];
    let seconds = read_all(peer, &run, GIBIBYTE)?;
    table.add(ATTACHED, Unit::GigabytesPerSecond, peer.name, rate(seconds));
    let container = peer.run(&["run", "-d", "--network", "none", &peer.image, "sleep", "3600"])?;
    let seconds = read_all(peer, &["exec", &container, "sh", "-c", zeros], GIBIBYTE)?;
    table.add(EXEC_OUT, Unit::GigabytesPerSecond, peer.name, rate(seconds));
    let seconds = write_all(peer, &["exec", "-i", &container, "sh", "-c", "cat >/dev/null"])?;
    table.add(EXEC_IN, Unit::GigabytesPerSecond, peer.name, rate(seconds));
    peer.run(&["rm", "-f", "-t", "0", &container]).or_else(|_| peer.run(&["rm", "-f", &container]))?;
    Ok(())
}

fn timed(peer: &Peer, case: &'static str, args: &[&str], expected: usize, table: &mut Table) -> Result<()> {
    let seconds = read_all(peer, args, expected)?;
    table.add(case, Unit::Milliseconds, peer.name, seconds * 1000.0);
    Ok(())
}

/// Seconds until the command has said all that it is expected to.
fn read_all(peer: &Peer, args: &[&str], expected: usize) -> Result<f64> {
    let began = Instant::now();
    let mut child = peer.command().args(args).stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().context("stdout is a pipe")?;
    enlarge(&output);
    let (mut buffer, mut total) = (vec![0; BLOCK], 0);
    loop {
        match output.read(&mut buffer)? {
            0 => break,
            length => total += length,
        }
    }
    let status = child.wait()?;
    if !status.success() || total != expected {
        bail!("{args:?}: {status}, {total} bytes of {expected}");
    }
    Ok(began.elapsed().as_secs_f64())
}

fn write_all(peer: &Peer, args: &[&str]) -> Result<f64> {
    let began = Instant::now();
    let mut child = peer.command().args(args).stdin(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("stdin is a pipe")?;
    enlarge(&input);
    let block = vec![0; BLOCK];
    for _ in 0..GIBIBYTE / BLOCK {
        input.write_all(&block)?;
    }
    drop(input);
    let status = child.wait()?;
    if !status.success() {
        bail!("{args:?}: {status}");
    }
    Ok(began.elapsed().as_secs_f64())
}

/// The pipe between us and the command line is not what is measured.
fn enlarge(pipe: &impl std::os::fd::AsFd) {
    // A smaller one costs us time, not truth.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, BLOCK);
}

fn rate(seconds: f64) -> f64 {
    GIBIBYTE as f64 / seconds / 1e9
}

/// Room for every engine's copy of the log.
pub(crate) fn check_room() -> Result<()> {
    let statistics = rustix::fs::statvfs(std::env::temp_dir())?;
    let free = statistics.f_bavail * statistics.f_frsize;
    if free < 2 << 30 {
        let directory = std::env::temp_dir();
        bail!("{} has {} MiB free, and logs of a gibibyte are to be written", directory.display(), free >> 20);
    }
    Ok(())
}
