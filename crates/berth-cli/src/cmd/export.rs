//! `export`.

use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::output;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "export",
    usage: "export [OPTIONS] CONTAINER",
    about: "Write a container's root file system as a tar archive",
    aliases: &["container export", "export"],
    flags: &[Flag::text("output", "Into a file, instead of standard output").short('o')],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let target = output::target(parsed.get("output").unwrap_or_default(), "failed to export container")?;
    let client = session.client()?;
    session.block_on(async {
        let archive = client.export_container(&parsed.args[0]).await?;
        output::write(target, archive).await
    })?
}
