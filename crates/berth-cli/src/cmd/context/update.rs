//! `context update`.

use super::done;
use super::options::{self, DESCRIPTION, DOCKER};
use crate::command::{Args, Command};
use crate::context::{self, Store};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "update",
    usage: "update [OPTIONS] CONTEXT",
    about: "Change a context",
    aliases: &[],
    flags: &[DESCRIPTION, DOCKER],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let name = &parsed.args[0];
    context::check_name(name)?;
    let store = Store::of(session.config());
    let mut meta = store.read(name)?;
    options::describe(&mut meta, parsed);
    if parsed.has("docker") {
        let (docker, tls) = options::endpoint(session, parsed)?;
        meta.set_docker(&docker);
        store.write_tls(name, &tls)?;
    }
    store.write(&meta)?;
    done(name, "updated")
}
