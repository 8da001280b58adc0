//! The table that a person reads, and the JSON that a program does.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::sample::{Case, Table, Unit, summary};

/// A Markdown table: per case each peer's median with its range, and how many times berth's that is.
pub(crate) fn print(table: &Table) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average at the end: {}\n", load.trim());
    println!("| case | unit | berth | peers |\n|---|---|---|---|");
    for case in &table.cases {
        println!("| {} | {} | {} | {} |", case.name, case.unit.text(), ours(case), theirs(case));
    }
}

fn ours(case: &Case) -> String {
    case.peers
        .get("berth")
        .and_then(|samples| summary(samples))
        .map_or("–".to_owned(), |ours| format!("**{:.2}** ({:.2}–{:.2})", ours.median, ours.least, ours.most))
}

fn theirs(case: &Case) -> String {
    let ours = case.peers.get("berth").and_then(|samples| summary(samples));
    let peers = case.peers.iter().filter(|(name, _)| *name != "berth").filter_map(|(name, samples)| {
        let theirs = summary(samples)?;
        let ratio = ours.map(|ours| match case.unit {
            Unit::PerSecond | Unit::GigabytesPerSecond => ours.median / theirs.median,
            _ => theirs.median / ours.median,
        });
        let ratio = ratio.map_or(String::new(), |ratio| format!(", ×{ratio:.1}"));
        Some(format!("{name} {:.2} ({:.2}–{:.2}{ratio})", theirs.median, theirs.least, theirs.most))
    });
    peers.collect::<Vec<_>>().join("; ")
}

/// Raw samples.
pub(crate) fn json(table: &Table) -> String {
    let cases: Map<String, Value> = table
        .cases
        .iter()
        .map(|case| (case.name.to_owned(), json!({"unit": case.unit.text(), "samples": case.peers})))
        .collect();
    format!("{:#}\n", Value::Object(cases))
}

/// Which variant of the floor stands beside which case; its figures are in microseconds.
const FLOOR: [(&str, &str, &str); 3] = [
    (super::cases::RUN_NONE, "  BEST net=none", "total"),
    (super::cases::RUN_BRIDGE, "  BEST bridge (FULL, self, volatile)", "total"),
    (super::cases::API_START, "  BEST bridge (FULL, self, volatile)", "start"),
];

/// Adds the kernel's floor as one more peer.
pub(crate) fn add_floor(path: &Path, table: &mut Table) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let floor: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    for (case, variant, phase) in FLOOR {
        if let Some(microseconds) = floor["variants"][variant][phase]["median"].as_f64() {
            table.add(case, Unit::Milliseconds, "floor", microseconds / 1000.0);
        }
    }
    Ok(())
}
