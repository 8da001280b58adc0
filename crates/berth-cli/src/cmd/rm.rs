//! `rm`.

use berth_client::RemoveOptions;

use crate::cmd::{each_says, gone_is_fine};
use crate::command::{Args, Command};
use crate::failure::Outcome;
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
    each_says(session, &parsed.args, async |client, name| {
        let removed = client.remove_container(name.trim_matches('/'), options).await.map(|()| format!("{name}\n"));
        if options.force { gone_is_fine(removed) } else { removed }
    })
}
