//! `network prune`.

use berth_client::Prunable;

use crate::cmd::{filters, pruning};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    usage: "prune [OPTIONS]",
    about: "Remove networks that no container uses",
    aliases: &[],
    flags: &[pruning::DRY_RUN, pruning::FILTER, pruning::FORCE],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const WARNING: &str = "WARNING! This will remove all custom networks not used by at least one container.\nAre you sure you want to continue?";

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    pruning::run(session, parsed, WARNING, vec![(Prunable::Networks, filters(parsed))], false)
}
