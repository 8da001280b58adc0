//! `volume prune`.

use berth_client::Prunable;

use crate::cmd::{check_filter, filters, pruning};
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove volumes that no container needs",
    aliases: &[],
    flags: &[
        Flag::switch("all", "Those that somebody named, too").short('a'),
        pruning::DRY_RUN,
        Flag::typed("filter", "filter", check_filter, "Only those that match (label=…, label!=…)"),
        pruning::FORCE,
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let mut wanted = filters(parsed);
    let all = parsed.on("all");
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
    pruning::run(session, parsed, &warning, vec![(Prunable::Volumes, wanted)], false)
}
