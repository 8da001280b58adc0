//! `volume rm`.

use crate::cmd::each;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    usage: "rm [OPTIONS] VOLUME [VOLUME...]",
    about: "Remove volumes; one that a container needs cannot be removed",
    aliases: &["volume rm", "volume remove"],
    flags: &[Flag::switch("force", "One that is not there is no failure").short('f')],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let force = parsed.on("force");
    each(session, &parsed.args, async |client, name| client.remove_volume(name, force).await)
}
