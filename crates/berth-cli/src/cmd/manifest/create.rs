//! `manifest create`.

use berth_oci::Reference;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::manifest::{Entry, Found, Registries, Store, reference};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "create",
    usage: "create MANIFEST_LIST MANIFEST [MANIFEST...]",
    about: "Make a list of images that are at a registry",
    aliases: &[],
    flags: &[
        Flag::switch("amend", "Add to a list that is here already").short('a'),
        Flag::switch("insecure", "The registry may have any certificate, or no TLS"),
    ],
    args: Args::AtLeast(2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [name, images @ ..] = parsed.args.as_slice() else { return Err(Failure::silent(1)) };
    let list = reference(name).map_err(|e| format!("error parsing name for manifest list {name}: {e}"))?;
    let store = Store::of(session.config());
    if store.list(&list)?.is_some() && !parsed.on("amend") {
        return Err(Failure::new("refusing to amend an existing manifest list with no --amend flag"));
    }
    let images = images.iter().map(|image| reference(image)).collect::<Result<Vec<_>, _>>()?;
    let registries = Registries::new(session.config(), parsed.on("insecure"), &images.iter().collect::<Vec<_>>());
    // All are looked up before anything is written.
    let entries = session.block_on(async {
        let mut entries = Vec::new();
        for image in &images {
            entries.push(entry(&store, &registries, &list, image).await?);
        }
        Ok::<_, String>(entries)
    })??;
    for (image, entry) in images.iter().zip(&entries) {
        store.put(&list, image, entry)?;
    }
    crate::print(&format!("Created manifest list {list}\n"));
    Ok(0)
}

/// An image that is in the list already stays as the user has annotated it.
async fn entry(store: &Store, at: &Registries<'_>, list: &Reference, image: &Reference) -> Result<Entry, String> {
    if let Some(entry) = store.get(list, image)? {
        return Ok(entry);
    }
    match at.find(image).await? {
        Found::Image(entry) => Ok(*entry),
        Found::List { .. } => Err(format!("{image} is a manifest list")),
    }
}
