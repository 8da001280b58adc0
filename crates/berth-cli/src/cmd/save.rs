//! `save`.

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::output;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "save",
    usage: "save [OPTIONS] IMAGE [IMAGE...]",
    about: "Write images as one archive, to standard output or into a file",
    aliases: &["image save", "save"],
    flags: &[
        Flag::text("output", "Into a file, instead of standard output").short('o'),
        Flag::text("platform", "Only what is for this platform (\"os[/arch[/variant]]\")"),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let platform = platform(parsed)?;
    let target = output::target(parsed.get("output").unwrap_or_default(), "failed to save image")?;
    let client = session.client()?;
    session.block_on(async {
        let archive = client.save_images(&parsed.args, &platform).await?;
        output::write(target, archive).await
    })?
}

/// `--platform` as the API wants it.
pub(super) fn platform(parsed: &Parsed) -> Result<String, Failure> {
    match parsed.get("platform").filter(|text| !text.is_empty()) {
        Some(text) => Ok(super::platform_json(text)?),
        None => Ok(String::new()),
    }
}
