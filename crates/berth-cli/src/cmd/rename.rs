//! `rename`.

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rename",
    usage: "rename CONTAINER NEW_NAME",
    about: "Give a container another name",
    aliases: &["container rename", "rename"],
    flags: &[],
    args: Args::Exactly(2),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [old, new] = parsed.args.as_slice() else { return Err(Failure::silent(1)) };
    let (old, new) = (old.trim(), new.trim());
    if old.is_empty() || new.is_empty() {
        return Err(Failure::new("Error: Neither old nor new names may be empty"));
    }
    let client = session.client()?;
    match session.block_on(client.rename_container(old, new))? {
        Ok(()) => Ok(0),
        Err(error) => {
            eprintln!("{error}");
            Err(Failure::new(format!("Error: failed to rename container named {old}")))
        }
    }
}
