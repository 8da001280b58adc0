//! `container prune`.

use crate::cmd::{check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::prompt;
use crate::session::Session;
use crate::unit::size;

pub(crate) const CONTAINERS: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove every container that does not run",
    aliases: &[],
    flags: &[
        Flag::typed("filter", "filter", check_filter, "Only those that match (until=TIME, label=…, label!=…)"),
        Flag::switch("force", "Do not ask").short('f'),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const WARNING: &str = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if !parsed.on("force") && !prompt::confirm(WARNING) {
        return Ok(0);
    }
    let client = session.client()?;
    let pruned = session.block_on(client.prune_containers(&filters(parsed)))??;
    let ids = pruned.containers_deleted.unwrap_or_default();
    if !ids.is_empty() {
        crate::print(&format!("Deleted Containers:\n{}\n\n", ids.join("\n")));
    }
    let bytes = i64::try_from(pruned.space_reclaimed).unwrap_or(i64::MAX);
    crate::print(&format!("Total reclaimed space: {}\n", size::human4(bytes)));
    Ok(0)
}
