//! `kill`.

use crate::cmd::each;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "kill",
    usage: "kill [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Kill running containers",
    aliases: &["container kill", "kill"],
    flags: &[Flag::text("signal", "Signal to send (SIGKILL where none is given)").short('s')],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let signal = parsed.text("signal");
    each(session, &parsed.args, async |client, name| client.kill_container(name, &signal).await)
}
