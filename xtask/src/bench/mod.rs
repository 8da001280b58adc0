//! `cargo xtask bench run|streams|containers|images`: berth beside whichever peers are installed, interleaved in one run.
//!
//! A ratio from one run counts; an absolute time on a shared machine does not. Every daemon runs in a network
//! namespace made for the benchmark, with directories of its own, so that nothing remains. Start reading at
//! [`run`]; `peer` says who is measured, `cases`, `runtime`, `streams`,
//! `containers` and `images` what and how.

mod api;
mod cases;
mod containers;
mod crowd;
mod disk;
mod images;
mod peer;
mod report;
mod runtime;
mod sample;
mod streams;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use peer::{Peer, Stage};

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `run`: starting containers, and what an engine costs.
    Starts,
    /// `streams`: logs, attach, exec.
    Streams,
    /// `containers`: commit, diff, cp, and hundreds of containers.
    Containers,
    /// `images`: pull, push, save, load, rmi, the list.
    Images,
}

/// What the command line says.
pub(crate) struct Options {
    subject: Subject,
    /// How many times each case is measured on each peer.
    rounds: usize,
    /// Where the raw samples go.
    json: Option<PathBuf>,
    /// The kernel's floor: what `floor.c` printed on the same machine.
    floor: Option<PathBuf>,
}

impl Options {
    /// `--rounds N`, `--json FILE`, and `--floor FILE` for starts
    pub(crate) fn parse(subject: Subject, args: &[&str]) -> Result<Self> {
        let rounds = if subject == Subject::Images { 3 } else { 30 };
        let mut options = Self { subject, rounds, json: None, floor: None };
        let mut words = args.iter();
        while let Some(flag) = words.next() {
            let value = words.next().with_context(|| format!("{flag} needs a value"))?;
            match *flag {
                "--rounds" => options.rounds = value.parse().with_context(|| format!("--rounds {value}"))?,
                "--json" => options.json = Some(value.into()),
                "--floor" if subject == Subject::Starts => options.floor = Some(value.into()),
                _ => bail!("{flag} is not an option of this benchmark"),
            }
        }
        Ok(options)
    }
}

/// Builds berth as users get it, measures, prints, and takes everything down again.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.subject == Subject::Streams {
        streams::check_room()?;
    }
    if std::env::var_os(peer::PROGRAM).is_none() {
        crate::run("cargo", &["build", "--release", "--quiet", "--package", "berth"])?;
    }
    let mut table = sample::Table::default();
    if options.subject == Subject::Images {
        let measured = images::measure(options.rounds, &mut table);
        finish(options, &table)?;
        return measured;
    }
    let stage = Stage::set()?;
    let mut peers = stage.peers()?;
    let measured = measure(options, &stage, &mut peers, &mut table);
    finish(options, &table)?;
    eprintln!("taking the engines down; podman takes its time");
    drop(peers);
    measured
}

/// What was measured before a failure is worth having too.
fn finish(options: &Options, table: &sample::Table) -> Result<()> {
    report::print(table);
    if let Some(path) = &options.json {
        std::fs::write(path, report::json(table)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn measure(options: &Options, stage: &Stage, peers: &mut [Peer], table: &mut sample::Table) -> Result<()> {
    match options.subject {
        Subject::Starts => {
            cases::measure(peers, options.rounds, table)?;
            runtime::measure(stage, options.rounds, table)?;
        }
        Subject::Streams => streams::measure(stage, peers, options.rounds, table)?,
        Subject::Containers => containers::measure(stage, peers, options.rounds, table)?,
        // On a stage of its own.
        Subject::Images => {}
    }
    options.floor.as_deref().map_or(Ok(()), |floor| report::add_floor(floor, table))
}
