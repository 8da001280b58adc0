//! `history` and `image history`.

use berth_api::image::HistoryStep;
use berth_template::Value;
use jiff::Timestamp;

use crate::cmd::FORMAT_HELP;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::format::{self, Format};
use crate::session::Session;
use crate::unit::{size, time};

pub(crate) const COMMAND: Command = Command {
    name: "history",
    usage: "history [OPTIONS] IMAGE",
    about: "Show how an image came to be",
    aliases: &["image history", "history"],
    flags: &[
        Flag::text("format", FORMAT_HELP),
        Flag::switch("human", "Sizes and times as people say them").short('H').default("true"),
        Flag::switch("no-trunc", "Nothing shortened"),
        Flag::text("platform", "Of the image for this platform (os[/arch[/variant]])"),
        Flag::switch("quiet", "Only ids").short('q'),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

const TABLE: &str = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
const EXACT_TABLE: &str = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
/// So much of an instruction fits into a table.
const SHORT: usize = 45;

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let human = parsed.get("human").is_none_or(|_| parsed.on("human"));
    let view = View { human, truncate: !parsed.on("no-trunc"), now: Timestamp::now() };
    let platform = parsed.get("platform").filter(|platform| !platform.is_empty());
    let platform = platform.map(crate::cmd::platform_json).transpose()?.unwrap_or_default();
    let given = parsed.get("format").unwrap_or_default();
    let mut format = Format::parse(given, if human { TABLE } else { EXACT_TABLE });
    if parsed.on("quiet") && matches!(given.trim(), "" | "table") {
        format = Format::Template("{{.ID}}".to_owned());
    }
    let client = session.client()?;
    let steps = session.block_on(client.image_history(&parsed.args[0], &platform))??;
    let rows: Vec<Value> = steps.iter().map(|step| view.row(step)).collect();
    crate::print(&format.render(&rows, &headings(), format::PARSING)?);
    Ok(0)
}

/// How steps are shown.
struct View {
    human: bool,
    truncate: bool,
    now: Timestamp,
}

impl View {
    fn row(&self, step: &HistoryStep) -> Value {
        let id = match self.truncate {
            true => step.id.trim_start_matches("sha256:").chars().take(12).collect(),
            false => step.id.clone(),
        };
        let by = step.created_by.replace('\t', " ");
        let (said, unsaid) = (step.created > 0, "N/A".to_owned());
        let fields = [
            ("Comment", step.comment.clone()),
            ("CreatedAt", if said { time::rfc3339(step.created) } else { String::new() }),
            ("CreatedBy", if self.truncate { shortened(&by) } else { by }),
            ("CreatedSince", if said { self.since(step.created) } else { unsaid }),
            ("ID", id),
            ("Size", if self.human { size::human3(step.size) } else { step.size.to_string() }),
        ];
        let members = fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
        Value::record("*image.historyContext", members)
    }

    fn since(&self, seconds: i64) -> String {
        if self.human { time::ago(seconds, self.now) } else { time::rfc3339(seconds) }
    }
}

/// With an ellipsis in the last place.
pub(crate) fn shortened(text: &str) -> String {
    match text.chars().count() > SHORT {
        true => text.chars().take(SHORT - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn headings() -> Value {
    let fields = [
        ("Comment", "COMMENT"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("CreatedSince", "CREATED"),
        ("ID", "IMAGE"),
        ("Size", "SIZE"),
    ];
    crate::format::headings(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_shortened() {
        assert_eq!(shortened(&"é".repeat(45)), "é".repeat(45));
        assert_eq!(shortened(&"é".repeat(46)), "é".repeat(44) + "…");
    }
}
