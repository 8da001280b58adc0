//! `restart`.

use crate::cmd::{each, stop};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "restart",
    usage: "restart [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Restart containers",
    aliases: &["container restart", "restart"],
    flags: stop::FLAGS,
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let options = stop::options(parsed);
    each(session, &parsed.args, async |client, name| client.restart_container(name, &options).await)
}
