//! What the compiler does not check: the crate table, module headers, test registration, licences, words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::root;

/// Prints every breach, then fails if there was one.
pub(crate) fn run() -> Result<()> {
    let metadata = metadata()?;
    let files = sources()?;
    let breaches: Vec<String> = [
        dependencies(&metadata, &fs::read_to_string(root().join("ARCHITECTURE.md"))?),
        banned(&metadata, &fs::read_to_string(root().join("deny.toml"))?),
        headers(&files)?,
        registration(&files)?,
    ]
    .concat();
    if breaches.is_empty() {
        return Ok(());
    }
    for breach in &breaches {
        eprintln!("{breach}");
    }
    bail!("{} untidy places", breaches.len())
}

fn metadata() -> Result<Value> {
    let mut command = crate::command("cargo");
    command.args(["metadata", "--format-version", "1", "--locked"]);
    let output = command.output().context("cargo metadata")?;
    serde_json::from_slice(&output.stdout).context("cargo metadata does not print JSON; is Cargo.lock up to date?")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

/// Every edge between our crates must stand in the table of `ARCHITECTURE.md`.
fn dependencies(metadata: &Value, architecture: &str) -> Vec<String> {
    let allowed = table(architecture);
    let mut breaches = Vec::new();
    for package in packages(metadata).filter(|package| package["source"].is_null()) {
        let name = text(&package["name"]);
        if name == "xtask" {
            continue;
        }
        let Some(may_use) = allowed.get(name) else {
            breaches.push(format!("ARCHITECTURE.md: the crate table has no row for {name}"));
            continue;
        };
        let used = package["dependencies"].as_array().into_iter().flatten().filter(|used| used["kind"].is_null());
        for used in used.map(|used| text(&used["name"])).filter(|used| used.starts_with("berth-")) {
            if !may_use.contains(used) {
                breaches.push(format!("ARCHITECTURE.md: {name} uses {used}, which its row does not allow"));
            }
        }
    }
    breaches
}

/// Rows ``| `crate` | owns | may use |``; names in the last column stand without `berth-`.
fn table(architecture: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = architecture.lines().filter_map(|line| line.strip_prefix("| `berth"));
    rows.filter_map(|row| {
        let (rest, columns) = row.split_once("` |")?;
        let may_use = columns.trim_end().trim_end_matches('|').rsplit('|').next()?;
        let names = may_use.split(',').map(|name| format!("berth-{}", name.trim()));
        Some((format!("berth{rest}"), names.collect()))
    })
    .collect()
}

/// `deny.toml`'s banned crates and allowed licences, checked without a network.
fn banned(metadata: &Value, deny: &str) -> Vec<String> {
    let quoted = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let bans: BTreeSet<String> =
        deny.lines().filter(|line| line.trim_start().starts_with("{ crate =")).filter_map(quoted).collect();
    let licences: BTreeSet<String> = deny
        .lines()
        .skip_while(|line| !line.starts_with("allow = ["))
        .skip(1)
        .take_while(|line| !line.starts_with(']'))
        .filter_map(quoted)
        .collect();
    let mut breaches = Vec::new();
    for package in packages(metadata) {
        let name = text(&package["name"]);
        if bans.contains(name) {
            breaches.push(format!("Cargo.lock: {name} is banned in deny.toml"));
        }
        let licence = text(&package["license"]).replace(" / ", " OR ").replace('/', " OR ");
        let accepted = licence.split(" OR ").any(|choice| {
            choice
                .trim_matches(['(', ')'])
                .split(" AND ")
                .all(|part| licences.contains(part.trim_matches(['(', ')', ' '])))
        });
        if !accepted {
            breaches.push(format!("Cargo.lock: {name} has the licence {licence:?}, which deny.toml does not allow"));
        }
    }
    breaches
}

/// All Rust files that git knows or would add.
fn sources() -> Result<Vec<PathBuf>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"]).current_dir(root());
    let output = command.output().context("git ls-files")?;
    let names = String::from_utf8(output.stdout).context("file names are UTF-8")?;
    Ok(names.lines().map(|name| root().join(name)).filter(|path| path.exists()).collect())
}

fn headers(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let first = text.lines().find(|line| !line.starts_with("#!")).unwrap_or_default();
        if !first.starts_with("//!") {
            breaches.push(format!("{}: does not open with `//!`", shown(file)));
        }
    }
    Ok(breaches)
}

/// A test file that `main.rs` does not name is never compiled, and never fails.
fn registration(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.parent().is_some_and(|parent| parent.ends_with("tests/it"))) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let main = file.with_file_name("main.rs");
        let registered = fs::read_to_string(&main).with_context(|| main.display().to_string())?;
        if name != "main"
            && !registered.lines().any(|line| line.trim_end_matches(';').ends_with(&format!("mod {name}")))
        {
            breaches.push(format!("{}: not registered in {}", shown(file), shown(&main)));
        }
    }
    Ok(breaches)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
