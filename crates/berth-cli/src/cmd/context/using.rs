//! `context use`.

use crate::command::{Args, Command};
use crate::context::{self, Store};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "use",
    usage: "use CONTEXT",
    about: "Make a context the current one",
    aliases: &[],
    flags: &[],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let name = &parsed.args[0];
    if name != context::DEFAULT {
        context::check_name(name)?;
        Store::of(session.config()).read(name)?;
    }
    session.config().set_current_context(Some(name).filter(|name| *name != context::DEFAULT).map(String::as_str))?;
    crate::print(&format!("{name}\n"));
    eprintln!("Current context is now {name:?}");
    if name != context::DEFAULT && std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty()) {
        eprintln!(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use {name:?}, either set the global --context flag, or unset DOCKER_HOST environment variable."
        );
    }
    Ok(0)
}
