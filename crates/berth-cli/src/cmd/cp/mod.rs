//! `cp`: between a container and here, as a tar archive on the way.
//!
//! What a path means (does it exist, is it a directory, does a slash or `/.` end it) decides where files go: `place.rs`.
//! `upload.rs` and `download.rs` do it, `progress.rs` tells how far it is.

mod download;
mod place;
mod progress;
mod upload;

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::terminal;

pub(crate) const COMMAND: Command = Command {
    name: "cp",
    usage: "cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tcp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    about: "Copy files between a container and here",
    aliases: &["container cp", "cp"],
    flags: &[
        Flag::switch("archive", "Give the files to the container's user").short('a'),
        Flag::switch("follow-link", "Copy what a link SRC_PATH leads to").short('L'),
        Flag::switch("quiet", "Without progress").short('q'),
    ],
    args: Args::Exactly(2),
    interspersed: true,
    wants_daemon: false,
    run,
};

/// What was asked for.
#[derive(Debug, Clone, Copy)]
struct Options {
    archive: bool,
    follow: bool,
    quiet: bool,
}

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [source, target] = parsed.args.as_slice() else { return Err(Failure::new("two paths are wanted")) };
    if source.is_empty() {
        return Err(Failure::new("source can not be empty"));
    }
    if target.is_empty() {
        return Err(Failure::new("destination can not be empty"));
    }
    let quiet = if parsed.has("quiet") { parsed.on("quiet") } else { !terminal::stderr_is_terminal() };
    let options = Options { archive: parsed.on("archive"), follow: parsed.on("follow-link"), quiet };
    match (split(source), split(target)) {
        ((Some(_), _), (Some(_), _)) => Err(Failure::new("copying between containers is not supported")),
        ((None, _), (None, _)) => Err(Failure::new("must specify at least one container source")),
        ((Some(container), from), (None, to)) => {
            let client = session.client()?;
            session.block_on(download::run(&client, container, from, to, options))?
        }
        ((None, from), (Some(container), to)) => {
            let client = session.client()?;
            session.block_on(upload::run(&client, container, from, to, options))?
        }
    }
}

/// The container and the path; a path that begins with a dot or a slash is one of here, whatever colons it has.
fn split(argument: &str) -> (Option<&str>, &str) {
    if argument.starts_with(['/', '.']) {
        return (None, argument);
    }
    match argument.split_once(':') {
        Some((container, path)) if !container.is_empty() => (Some(container), path),
        _ => (None, argument),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn colons_name_containers() {
        assert_eq!(split("c:/x"), (Some("c"), "/x"));
        assert_eq!(split("./c:/x"), (None, "./c:/x"));
        assert_eq!(split("/c:/x"), (None, "/c:/x"));
        assert_eq!(split("-"), (None, "-"));
        assert_eq!(split("c:"), (Some("c"), ""));
    }
}
