//! `wait`.

use berth_client::WaitCondition;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
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
    let client = session.client()?;
    let failed = session.block_on(async {
        let mut failed = false;
        for name in &parsed.args {
            let exit = async { client.wait_container(name, WaitCondition::NotRunning).await?.finish().await };
            match exit.await {
                Ok(exit) => crate::print(&format!("{}\n", exit.status_code)),
                Err(error) => {
                    failed = true;
                    eprintln!("{error}");
                }
            }
        }
        failed
    })?;
    if failed { Err(Failure::silent(1)) } else { Ok(0) }
}
