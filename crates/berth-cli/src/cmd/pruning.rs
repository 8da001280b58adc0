//! What the prune commands share: flags, the question before, the report after.

use berth_api::Filters;
use berth_client::{Client, Error, Prunable, Pruned};

use crate::cmd::check_filter;
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::prompt;
use crate::session::Session;
use crate::unit::size;

pub(crate) const FILTER: Flag =
    Flag::typed("filter", "filter", check_filter, "Only those that match (until=TIME, label=NAME[=VALUE], label!=…)");
pub(crate) const FORCE: Flag = Flag::switch("force", "Do not ask").short('f');
pub(crate) const DRY_RUN: Flag =
    Flag::switch("dry-run", "Remove nothing: list what would go, and how much it would free");

/// One kind of thing, and the filters it is pruned with.
pub(crate) type Step = (Prunable, Filters);

/// Asks, prunes step by step, and tells what went. `optional`: a daemon that can't prune such things is no error.
pub(crate) fn run(session: &Session, parsed: &Parsed, warning: &str, steps: Vec<Step>, optional: bool) -> Outcome {
    let dry = parsed.on("dry-run");
    if !dry && !parsed.on("force") && !prompt::confirm(warning) {
        return Ok(0);
    }
    let client = session.client()?;
    session.block_on(async {
        let mut total = 0;
        for (what, filters) in steps {
            match client.prune(what, &filters, dry).await {
                Ok(pruned) => {
                    crate::print(&report(what, &pruned, dry));
                    total += pruned.space_reclaimed;
                }
                Err(Error::Api { status: 501, .. }) if optional => {}
                Err(error) => return Err(explained(&client, error, dry)),
            }
        }
        let heading = if dry { "Total space that would be reclaimed" } else { "Total reclaimed space" };
        let bytes = i64::try_from(total).unwrap_or(i64::MAX);
        crate::print(&format!("{heading}: {}\n", size::human4(bytes)));
        Ok(0)
    })?
}

/// A daemon that is not ours knows no dry runs.
fn explained(client: &Client, error: Error, dry: bool) -> Failure {
    match error.status() {
        Some(404 | 405) if dry => {
            Failure::new(format!("the daemon at {} knows no dry runs; nothing was removed", client.host()))
        }
        _ => error.into(),
    }
}

fn report(what: Prunable, pruned: &Pruned, dry: bool) -> String {
    let kind = match what {
        Prunable::Containers => "Containers",
        Prunable::Networks => "Networks",
        Prunable::Volumes => "Volumes",
        Prunable::Images => "Images",
        Prunable::BuildCache => "build cache objects",
    };
    let mut lines = pruned.deleted.clone();
    for line in &pruned.images {
        lines.extend(line.untagged.iter().map(|name| format!("untagged: {name}")));
        lines.extend(line.deleted.iter().map(|id| format!("deleted: {id}")));
    }
    if lines.is_empty() {
        return String::new();
    }
    let verb = if dry { "Would delete" } else { "Deleted" };
    let kind = if dry { kind.to_ascii_lowercase() } else { kind.to_owned() };
    format!("{verb} {kind}:\n{}\n\n", lines.join("\n"))
}
