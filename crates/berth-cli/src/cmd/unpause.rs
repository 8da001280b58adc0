//! `unpause`.

use crate::cmd::each;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "unpause",
    usage: "unpause CONTAINER [CONTAINER...]",
    about: "Let frozen containers go on",
    aliases: &["container unpause", "unpause"],
    flags: &[],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    each(session, &parsed.args, async |client, name| client.unpause_container(name).await)
}
