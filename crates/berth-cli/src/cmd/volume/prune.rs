//! `volume prune`.

use crate::cmd::{check_filter, filters};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::prompt;
use crate::session::Session;
use crate::unit::size;

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove volumes that no container needs",
    aliases: &[],
    flags: &[
        Flag::switch("all", "Those that somebody named, too").short('a'),
        Flag::switch("dry-run", "Only say what would go, and how much it frees"),
        Flag::typed("filter", "filter", check_filter, "Only those that match (label=…, label!=…)"),
        Flag::switch("force", "Do not ask").short('f'),
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let mut wanted = filters(parsed);
    let (all, dry) = (parsed.on("all"), parsed.on("dry-run"));
    if all && wanted.contains("all") {
        return Err(Failure::new("conflicting options: cannot specify both --all and --filter all=1"));
    }
    let everything = all || wanted.contains("all");
    if all {
        wanted.add("all", "true");
    }
    let which = if everything { "all local volumes" } else { "anonymous local volumes" };
    let warning = format!(
        "WARNING! This will remove {which} not used by at least one container.\nAre you sure you want to continue?"
    );
    if !dry && !parsed.on("force") && !prompt::confirm(&warning) {
        return Err(Failure::new("volume prune has been cancelled"));
    }
    let client = session.client()?;
    let pruned = session.block_on(client.prune_volumes(&wanted, dry))??;
    let names = pruned.volumes_deleted.unwrap_or_default();
    if !names.is_empty() {
        let heading = if dry { "Would Delete Volumes" } else { "Deleted Volumes" };
        crate::print(&format!("{heading}:\n{}\n\n", names.join("\n")));
    }
    let bytes = size::human4(i64::try_from(pruned.space_reclaimed).unwrap_or(i64::MAX));
    crate::print(&format!("Total {} space: {bytes}\n", if dry { "reclaimable" } else { "reclaimed" }));
    Ok(0)
}
