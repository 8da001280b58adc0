//! `image flatten`: the same contents in one layer.

use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const TAG: Flag = Flag::text("tag", "What the new image is called (name[:tag])").short('t');

pub(crate) const COMMAND: Command = Command {
    name: "flatten",
    usage: "flatten [OPTIONS] IMAGE",
    about: "Make an image of one layer with the same contents",
    aliases: &["image flatten"],
    flags: &[TAG],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let client = session.client()?;
    let made = session.block_on(client.flatten_image(&parsed.args[0], parsed.get("tag").unwrap_or_default()))??;
    crate::print(&format!("{}\n", made.id));
    Ok(0)
}
