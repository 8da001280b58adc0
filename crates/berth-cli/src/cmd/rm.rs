//! `rm`.

use berth_client::RemoveOptions;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    usage: "rm [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Remove containers",
    aliases: &["container rm", "rm"],
    flags: &[
        Flag::switch("force", "Also a running container (SIGKILL)").short('f'),
        Flag::switch("link", "Only the link of this name").short('l'),
        Flag::switch("volumes", "With its anonymous volumes").short('v'),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let options = RemoveOptions { force: parsed.on("force"), volumes: parsed.on("volumes"), link: parsed.on("link") };
    let client = session.client()?;
    let failed = session.block_on(async {
        let mut failed = false;
        for arg in &parsed.args {
            match client.remove_container(arg.trim_matches('/'), options).await {
                Ok(()) => crate::print(&format!("{arg}\n")),
                Err(error) if options.force && error.is_not_found() => eprintln!("{error}"),
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
