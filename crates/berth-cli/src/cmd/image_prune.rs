//! `image prune`.

use berth_client::Prunable;

use crate::cmd::{filters, pruning};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove images that nothing needs",
    aliases: &[],
    flags: &[
        Flag::switch("all", "Every image without a container, not only those without a name").short('a'),
        pruning::DRY_RUN,
        pruning::FILTER,
        pruning::FORCE,
    ],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let all = parsed.on("all");
    let what = match all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    };
    let warning = format!("WARNING! This will remove {what}.\nAre you sure you want to continue?");
    let mut filters = filters(parsed);
    filters.add("dangling", if all { "false" } else { "true" });
    pruning::run(session, parsed, &warning, vec![(Prunable::Images, filters)], false)
}
