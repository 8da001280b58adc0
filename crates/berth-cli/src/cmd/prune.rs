//! `container prune`.

use berth_client::Prunable;

use crate::cmd::{filters, pruning};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const CONTAINERS: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove every container that does not run",
    aliases: &[],
    flags: &[pruning::DRY_RUN, pruning::FILTER, pruning::FORCE],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const WARNING: &str = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    pruning::run(session, parsed, WARNING, vec![(Prunable::Containers, filters(parsed))], false)
}
