//! `manifest inspect`: a list that is here, one of its images, or what a registry has.

use berth_template::{Shape, Value, to_indented};

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::manifest::{Entry, Found, Registries, Store, list_bytes, list_type, reference};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    usage: "inspect [OPTIONS] [MANIFEST_LIST] MANIFEST",
    about: "Show an image's manifest, or a list of them",
    aliases: &[],
    flags: &[
        Flag::switch("insecure", "The registry may have any certificate, or no TLS"),
        Flag::switch("verbose", "With what is known besides").short('v'),
    ],
    args: Args::Between(1, 2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let store = Store::of(session.config());
    let verbose = parsed.on("verbose");
    let text = match parsed.args.as_slice() {
        [list, image] => {
            let (list, image) = (reference(list)?, reference(image)?);
            let entry = store.get(&list, &image)?;
            one(&entry.ok_or_else(|| Failure::new(format!("No such manifest: {image}")))?, verbose)?
        }
        [name] => {
            let name = reference(name)?;
            match store.list(&name)? {
                Some(entries) => list(&entries, verbose)?,
                None => {
                    let registries = Registries::new(session.config(), parsed.on("insecure"), &[&name]);
                    session.block_on(remote(&registries, &name, verbose))??
                }
            }
        }
        _ => return Err(Failure::silent(1)),
    };
    crate::print(&format!("{text}\n"));
    Ok(0)
}

async fn remote(at: &Registries<'_>, name: &berth_oci::Reference, verbose: bool) -> Result<String, String> {
    match at.find(name).await? {
        Found::Image(entry) => one(&entry, verbose),
        Found::List { images, .. } if verbose => list(&at.images(name, &images).await?, true),
        Found::List { media_type, images } => text(list_bytes(&media_type, &images)?),
    }
}

/// One image: its manifest, or everything about it.
fn one(entry: &Entry, verbose: bool) -> Result<String, String> {
    let json = if verbose { serde_json::to_string(entry).map_err(|e| e.to_string())? } else { text(entry.bytes()?)? };
    indented(&json)
}

/// The list that would be pushed, or everything about each of its images.
fn list(entries: &[Entry], verbose: bool) -> Result<String, String> {
    if verbose {
        return indented(&serde_json::to_string(entries).map_err(|e| e.to_string())?);
    }
    let kind = list_type(entries.iter().map(|entry| entry.descriptor.media_type.as_str()));
    let images: Vec<_> = entries.iter().map(|entry| entry.descriptor.clone()).collect();
    text(list_bytes(kind, &images)?)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| "the manifest is no text".to_owned())
}

fn indented(json: &str) -> Result<String, String> {
    let value = Value::from_json(json, &Shape::default()).map_err(|e| e.to_string())?;
    Ok(to_indented(&value, "\t"))
}
