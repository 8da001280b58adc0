//! `image diff`: how two images differ.

use std::fmt::Write as _;

use berth_api::decode;
use berth_api::image_contents::{FileDifference, ImageDifference, SettingDifference};

use crate::cmd::OBJECT_FORMAT_HELP;
use crate::cmd::image_explain::bytes;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::{format, order, table};

pub(crate) const COMMAND: Command = Command {
    name: "diff",
    usage: "diff [OPTIONS] IMAGE IMAGE",
    about: "Show how the second image differs from the first",
    aliases: &["image diff"],
    flags: &[Flag::text("format", OBJECT_FORMAT_HELP)],
    args: Args::Exactly(2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    let found = session.block_on(client.compare_images(&parsed.args[0], &parsed.args[1]))??;
    let text = match parsed.get("format").filter(|format| !format.is_empty()) {
        Some(template) => format::object(template, &order::like::<ImageDifference>(&found)?)? + "\n",
        None => {
            let found = decode::from_value(found).map_err(|e| Failure::new(format!("reading the answer: {e}")))?;
            lines(&found)
        }
    };
    crate::print(&text);
    Ok(0)
}

fn lines(found: &ImageDifference) -> String {
    let files: String = found.files.iter().map(file).collect();
    let mut out = table::align_to(&files, 4);
    if !found.config.is_empty() {
        let settings: String = found.config.iter().map(setting).collect();
        let _ = write!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, table::align(&settings));
    }
    out
}

/// As in `docker diff`, with sizes.
fn file(file: &FileDifference) -> String {
    let size = match (file.before, file.after) {
        (Some(before), Some(after)) if before != after => format!("{} → {}", bytes(before), bytes(after)),
        (before, after) => bytes(after.or(before).unwrap_or(0)),
    };
    let aspects = if file.aspects.is_empty() { String::new() } else { format!(" ({})", file.aspects.join(", ")) };
    format!("{} {}\t{size}{aspects}\n", file.kind, file.path)
}

fn setting(setting: &SettingDifference) -> String {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => "(not set)".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("{}\t{} → {}\n", setting.name, text(&setting.before), text(&setting.after))
}
