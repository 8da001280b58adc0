//! `wait`.

use berth_client::WaitCondition;

use crate::cmd::each_says;
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "wait",
    usage: "wait CONTAINER [CONTAINER...]",
    about: "Wait until containers stop and print their exit codes",
    aliases: &["container wait", "wait"],
    flags: &[],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    each_says(session, &parsed.args, async |client, name| {
        let exit = client.wait_container(name, WaitCondition::NotRunning).await?.finish().await?;
        Ok(format!("{}\n", exit.status_code))
    })
}
