//! `network rm`.

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
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
    let client = session.client()?;
    let failed = session.block_on(async {
        let mut failed = false;
        for name in &parsed.args {
            match client.remove_network(name).await {
                Ok(()) => crate::print(&format!("{name}\n")),
                Err(error) if parsed.on("force") && error.is_not_found() => {}
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
