//! `manifest push`.

use berth_oci::Digest;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::manifest::{Entry, Registries, Store, list_bytes, list_type, reference};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "push",
    usage: "push [OPTIONS] MANIFEST_LIST",
    about: "Give a list to its registry",
    aliases: &[],
    flags: &[
        Flag::switch("insecure", "The registry may have any certificate, or no TLS"),
        Flag::switch("purge", "Remove the list here afterwards").short('p'),
    ],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [name] = parsed.args.as_slice() else { return Err(Failure::silent(1)) };
    let list = reference(name)?;
    let store = Store::of(session.config());
    let entries = store.list(&list)?.filter(|entries| !entries.is_empty());
    let entries = entries.ok_or_else(|| Failure::new(format!("No such manifest: {list}")))?;
    check(&entries)?;
    let kind = list_type(entries.iter().map(|entry| entry.descriptor.media_type.as_str()));
    let images: Vec<_> = entries.iter().map(|entry| entry.descriptor.clone()).collect();
    let bytes = list_bytes(kind, &images)?;
    let digest = Digest::of(&bytes);
    let registries = Registries::new(session.config(), parsed.on("insecure"), &[&list]);
    session.block_on(async {
        for entry in &entries {
            registries.bring(&list, entry).await?;
            let digest = &entry.descriptor.digest;
            crate::print(&format!("Pushed ref {}@{digest} with digest: {digest}\n", list.name()));
        }
        registries.put_list(&list, kind, bytes).await
    })??;
    crate::print(&format!("{digest}\n"));
    if parsed.on("purge") {
        store.remove(&list)?;
    }
    Ok(0)
}

/// Whoever pulls the list chooses by platform.
fn check(entries: &[Entry]) -> Result<(), Failure> {
    let lacks = |entry: &&Entry| {
        entry.descriptor.platform.as_ref().is_none_or(|runs| runs.os.is_empty() || runs.architecture.is_empty())
    };
    match entries.iter().find(lacks) {
        None => Ok(()),
        Some(entry) => Err(Failure::new(format!(
            "manifest {} must have an OS and Architecture to be pushed to a registry (manifest annotate gives it them)",
            entry.reference
        ))),
    }
}
