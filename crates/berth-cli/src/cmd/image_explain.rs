//! `image explain`: what an image's bytes are spent on.

use std::fmt::Write as _;

use berth_api::decode;
use berth_api::image_contents::ImageExplanation;

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::cmd::history::shortened;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::unit::size;
use crate::{format, order, table};

pub(crate) const COMMAND: Command = Command {
    name: "explain",
    usage: "explain [OPTIONS] IMAGE",
    about: "Show what an image's bytes are spent on",
    aliases: &["image explain"],
    flags: &[
        Flag::int("depth", "Directories so deep below the root").default("2"),
        Flag::text("format", OBJECT_FORMAT_HELP),
        Flag::int("top", "So many lines of each table (0: all)").default("10"),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let top = match parsed.int("top").unwrap_or(10) {
        0 => usize::MAX,
        top => usize::try_from(top).map_err(|_| Failure::new("--top counts lines: it can't be negative"))?,
    };
    let client = session.client()?;
    let found = session.block_on(client.explain_image(&parsed.args[0], parsed.int("depth")))??;
    let text = match parsed.get("format").filter(|format| !format.is_empty()) {
        Some(template) => format::object(template, &order::like::<ImageExplanation>(&found)?)? + "\n",
        None => {
            let found = decode::from_value(found).map_err(|e| Failure::new(format!("reading the answer: {e}")))?;
            tables(&found, top)
        }
    };
    crate::print(&text);
    Ok(0)
}

pub(super) fn bytes(bytes: u64) -> String {
    size::human3(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn tables(found: &ImageExplanation, top: usize) -> String {
    let mut out = String::from("LAYER\tSIZE\tWASTED\tFILES\tADDED\tCHANGED\tREMOVED\tCREATED BY\n");
    for layer in &found.layers {
        let by = shortened(&layer.created_by.replace(['\t', '\n'], " "));
        let (size, wasted) = (bytes(layer.size), bytes(layer.wasted));
        let counts = format!("{}\t{}\t{}\t{}", layer.files, layer.added, layer.changed, layer.removed);
        let _ = writeln!(out, "{}\t{size}\t{wasted}\t{counts}\t{by}", layer.index);
    }
    let mut out = table::align(&out);
    let share = (found.wasted_size * 100).checked_div(found.total_size).unwrap_or(0);
    let _ = writeln!(
        out,
        "\nFiles: {} in {} layers, of which a container sees {}; wasted: {} ({share}%); the same again: {}",
        bytes(found.total_size),
        found.layers.len(),
        bytes(found.seen_size),
        bytes(found.wasted_size),
        bytes(found.duplicate_size),
    );
    let directories = found.directories.iter().map(|d| format!("{}\t{}\t{}", d.path, bytes(d.size), d.files));
    section(&mut out, "DIRECTORY\tSIZE\tFILES", directories.collect(), top);
    let wasted = found.wasted.iter().filter(|file| file.size > 0);
    let wasted = wasted.map(|f| format!("{}\t{}\t{}\t{} by {}", f.path, bytes(f.size), f.layer, f.how, f.by));
    section(&mut out, "WASTED\tSIZE\tLAYER\tHOW", wasted.collect(), top);
    let duplicates = found.duplicates.iter().map(|duplicate| {
        let places: Vec<String> = duplicate.copies.iter().map(|copy| format!("{}:{}", copy.layer, copy.path)).collect();
        format!("{}\t{}\t{}", bytes(duplicate.extra), bytes(duplicate.size), places.join(" "))
    });
    section(&mut out, "EXTRA\tSIZE EACH\tTHE SAME IN (LAYER:PATH)", duplicates.collect(), top);
    out
}

/// A table of its own, unless it has no lines.
fn section(out: &mut String, heading: &str, lines: Vec<String>, top: usize) {
    if lines.is_empty() {
        return;
    }
    let shown = &lines[..lines.len().min(top)];
    let _ = write!(out, "\n{}", table::align(&format!("{heading}\n{}\n", shown.join("\n"))));
    if shown.len() < lines.len() {
        let _ = writeln!(out, "… and {} more (--top)", lines.len() - shown.len());
    }
}
