//! `rmi` and `image rm`.

use berth_api::image::ImageDeleted;
use berth_client::RemoveImage;

use crate::cmd::{each_says, gone_is_fine};
use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rmi",
    usage: "rmi [OPTIONS] IMAGE [IMAGE...]",
    about: "Remove images",
    aliases: &["image rm", "image remove", "rmi"],
    flags: &[
        Flag::switch("force", "Also where something uses it").short('f'),
        Flag::switch("no-prune", "Keep untagged parents"),
        Flag::list("platform", "Only the image for this platform (os[/arch[/variant]])"),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: true,
    run,
};

/// Under its name within `image`.
pub(crate) const RM: Command = Command { name: "rm", usage: "rm [OPTIONS] IMAGE [IMAGE...]", ..COMMAND };

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let platforms = parsed.all("platform").map(super::platform_json).collect::<Result<Vec<_>, _>>()?;
    let options = RemoveImage { force: parsed.on("force"), no_prune: parsed.on("no-prune"), platforms };
    each_says(session, &parsed.args, async |client, name| {
        let removed = client.remove_image(name, &options).await;
        let gone = if options.force { gone_is_fine(removed) } else { removed }?;
        Ok(gone.into_iter().filter_map(|what| said(&what)).collect())
    })
}

fn said(what: &ImageDeleted) -> Option<String> {
    let deleted = what.deleted.as_ref().map(|id| format!("Deleted: {id}\n"));
    deleted.or_else(|| what.untagged.as_ref().map(|reference| format!("Untagged: {reference}\n")))
}
