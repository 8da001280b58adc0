//! Feeds spoilt input to everything that reads what strangers wrote: `berth-fuzz SECONDS [TARGET…]`.
//!
//! Each target is given inputs for so many seconds. It must give an answer or an error; a panic and an answer that does
//! not come are failures, and the input that led to one is kept. Two inputs in three are well-formed and odd: made by
//! what knows the format, with checksums and lengths that fit, so that they get past the first checks (`json.rs`,
//! `tar.rs`, `packed.rs`, `names.rs`). The third is a seed, changed here and there by chance (`mutate.rs`). Nothing
//! measures what code is reached, which the seeds make up for by having something of everything. Start reading at
//! `targets.rs`.

mod chance;
mod json;
mod mutate;
mod names;
mod packed;
mod run;
mod seeds;
mod tar;
mod targets;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match go(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("berth-fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn go(args: &[String]) -> Result<bool> {
    let [seconds, names @ ..] = args else { bail!("usage: berth-fuzz SECONDS [TARGET...]") };
    let seconds: u64 = seconds.parse().with_context(|| format!("{seconds:?} is no number of seconds"))?;
    for name in names {
        if !targets::TARGETS.iter().any(|target| target.name == name) {
            bail!("there is no target {name:?}");
        }
    }
    let wanted = targets::TARGETS.iter().filter(|target| names.is_empty() || names.iter().any(|n| n == target.name));
    let mut well = true;
    for target in wanted {
        well &= run::run(target, seconds)?;
    }
    Ok(well)
}
