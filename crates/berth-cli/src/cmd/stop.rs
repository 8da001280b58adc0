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
    flags: &[
        Flag::text("signal", "Signal instead of the container's own").short('s'),
        Flag::int("timeout", "Seconds until it is killed").short('t'),
        Flag::int("time", "As --timeout").hidden(),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let options =
        StopOptions { timeout: parsed.int("timeout").or_else(|| parsed.int("time")), signal: parsed.text("signal") };
    each(session, &parsed.args, |client, name| {
        let options = options.clone();
        async move { client.stop_container(&name, &options).await }
    })
}
