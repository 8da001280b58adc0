//! `diff`.

use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "diff",
    usage: "diff CONTAINER",
    about: "List what a container changed in its files",
    aliases: &["container diff", "diff"],
    flags: &[],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    let changes = session.block_on(client.container_changes(&parsed.args[0]))??;
    for change in changes {
        let letter = match change.kind {
            1 => 'A',
            2 => 'D',
            _ => 'C',
        };
        crate::print(&format!("{letter} {}\n", change.path));
    }
    Ok(0)
}
