//! `context rm`.

use crate::command::{Args, Command};
use crate::context::{self, Store};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    usage: "rm CONTEXT [CONTEXT...]",
    about: "Remove contexts",
    aliases: &["context rm", "context remove"],
    flags: &[Flag::switch("force", "Also the one in use, and those that are not there").short('f')],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let mut errors = Vec::new();
    for name in &parsed.args {
        match remove(session, name, parsed.on("force")) {
            Ok(()) => crate::print(&format!("{name}\n")),
            Err(reason) => errors.push(reason),
        }
    }
    if errors.is_empty() { Ok(0) } else { Err(Failure::new(errors.join("\n"))) }
}

fn remove(session: &Session, name: &str, force: bool) -> Result<(), String> {
    if name == context::DEFAULT {
        return Err(format!("context {name:?} cannot be removed"));
    }
    let config = session.config();
    let store = Store::of(config);
    if !store.exists(name) && !force {
        return Err(format!("context {name:?} does not exist"));
    }
    if config.current_context() == name || session.context_name() == name {
        if !force {
            return Err(format!("context {name:?} is in use, set -f flag to force remove"));
        }
        if config.current_context() == name {
            config.set_current_context(None)?;
        }
    }
    store.remove(name)
}
