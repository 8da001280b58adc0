//! `network rm`.

use crate::cmd::each_says;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    usage: "rm NETWORK [NETWORK...]",
    about: "Remove networks",
    aliases: &["network rm", "network remove"],
    flags: &[Flag::switch("force", "A network that is not there is no error").short('f')],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    each_says(session, &parsed.args, async |client, name| match client.remove_network(name).await {
        Err(error) if parsed.on("force") && error.is_not_found() => Ok(String::new()),
        removed => removed.map(|()| format!("{name}\n")),
    })
}
