//! `pause`.

use crate::cmd::each;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "pause",
    usage: "pause CONTAINER [CONTAINER...]",
    about: "Freeze all processes of containers",
    aliases: &["container pause", "pause"],
    flags: &[],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    each(session, &parsed.args, async |client, name| client.pause_container(name).await)
}
