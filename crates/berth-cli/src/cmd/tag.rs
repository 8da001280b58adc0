//! `tag` and `image tag`.

use berth_oci::{Reference, ReferenceError};

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "tag",
    usage: "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    about: "Give an image one more name",
    aliases: &["image tag", "tag"],
    flags: &[],
    args: Args::Exactly(2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [source, target] = &parsed.args[..] else { return Ok(0) };
    let name = |text: &str| {
        Reference::parse_name(text).map_err(|error| {
            Failure::new(format!("Error parsing reference: {text:?} is not a valid repository/tag: {error}"))
        })
    };
    if !is_id(source) {
        name(source)?;
    }
    let target = name(target)?;
    if target.digest().is_some() {
        return Err(Failure::new("refusing to create a tag with a digest reference"));
    }
    let tag = target.tag().unwrap_or(berth_oci::DEFAULT_TAG);
    let client = session.client()?;
    session.block_on(client.tag_image(source, &target.familiar_name(), tag))??;
    Ok(0)
}

/// An image can be called by its id, too.
fn is_id(text: &str) -> bool {
    text.starts_with("sha256:") || matches!(Reference::parse_name(text), Err(ReferenceError::LooksLikeId(_)))
}
