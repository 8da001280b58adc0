//! `manifest rm`.

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::manifest::{Store, reference};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    usage: "rm MANIFEST_LIST [MANIFEST_LIST...]",
    about: "Remove lists that are here",
    aliases: &[],
    flags: &[],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let store = Store::of(session.config());
    let mut failures = Vec::new();
    for name in &parsed.args {
        match reference(name).and_then(|list| Ok((store.remove(&list)?, list))) {
            Ok((true, _)) => {}
            Ok((false, list)) => failures.push(format!("No such manifest: {list}")),
            Err(reason) => failures.push(reason),
        }
    }
    if failures.is_empty() { Ok(0) } else { Err(Failure::new(failures.join("\n"))) }
}
