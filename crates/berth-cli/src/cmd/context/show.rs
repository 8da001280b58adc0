//! `context show`.

use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "show",
    usage: "show",
    about: "Print the name of the current context",
    aliases: &[],
    flags: &[],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, _: &Parsed) -> Outcome {
    crate::print(&format!("{}\n", session.context_name()));
    Ok(0)
}
