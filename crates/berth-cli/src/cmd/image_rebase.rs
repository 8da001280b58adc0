//! `image rebase`: an image's own layers on another base.

use berth_client::RebaseOptions;

use crate::cmd::image_flatten::TAG;
use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rebase",
    usage: "rebase [OPTIONS] IMAGE --onto NEWBASE",
    about: "Put an image's own layers onto another base",
    aliases: &["image rebase"],
    flags: &[
        Flag::text("from", "The base it stands on; without it, the largest image here that it stands on"),
        Flag::text("onto", "The new base"),
        TAG,
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let text = |name: &str| parsed.get(name).unwrap_or_default().to_owned();
    let options = RebaseOptions { onto: text("onto"), from: text("from"), name: text("tag") };
    if options.onto.is_empty() {
        return Err(Failure::new("--onto says which image the new base is: it is missing"));
    }
    let client = session.client()?;
    let made = session.block_on(client.rebase_image(&parsed.args[0], &options))??;
    for warning in &made.warnings {
        eprintln!("WARNING: {warning}");
    }
    crate::print(&format!("{}\n", made.id));
    Ok(0)
}
