//! `stop`.

use berth_client::StopOptions;

use crate::cmd::each;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "stop",
    usage: "stop [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Stop running containers",
    aliases: &["container stop", "stop"],
    flags: FLAGS,
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

/// How a container is to end: what `restart` asks, too.
pub(super) const FLAGS: &[Flag] = &[
    Flag::text("signal", "Signal instead of the container's own").short('s'),
    Flag::int("timeout", "Seconds until it is killed").short('t'),
    Flag::int("time", "As --timeout").hidden(),
];

/// What [`FLAGS`] say.
pub(super) fn options(parsed: &Parsed) -> StopOptions {
    StopOptions { timeout: parsed.int("timeout").or_else(|| parsed.int("time")), signal: parsed.text("signal") }
}

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let options = options(parsed);
    each(session, &parsed.args, async |client, name| client.stop_container(name, &options).await)
}
