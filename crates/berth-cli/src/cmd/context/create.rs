//! `context create`.

use super::done;
use super::options::{self, DESCRIPTION, DOCKER};
use crate::command::{Args, Command};
use crate::context::{self, Docker, Meta, Store};
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "create",
    usage: "create [OPTIONS] CONTEXT",
    about: "Create a context",
    aliases: &[],
    flags: &[DESCRIPTION, DOCKER, Flag::text("from", "Begin with a copy of this context")],
    args: Args::Exactly(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let name = &parsed.args[0];
    context::check_name(name)?;
    let store = Store::of(session.config());
    if store.exists(name) {
        return Err(Failure::new(format!("context {name:?} already exists")));
    }
    let mut meta = Meta::default();
    let from = parsed.get("from").filter(|from| !from.is_empty());
    if from.is_some() && parsed.has("docker") {
        return Err(Failure::new("cannot use --docker flag when --from is set"));
    }
    let (docker, tls) = match (from, parsed.has("docker")) {
        (Some(from), _) => {
            if from != context::DEFAULT {
                meta = store.read(from)?;
            }
            options::copied(session, from)?
        }
        (None, true) => options::endpoint(session, parsed)?,
        // As Docker has it: a copy of what applies now.
        (None, false) => match session.context_name().as_str() {
            context::DEFAULT => (Docker { host: session.default_host(), skip_tls_verify: false }, Default::default()),
            current => {
                meta = store.read(current)?;
                options::copied(session, current)?
            }
        },
    };
    name.clone_into(&mut meta.name);
    meta.set_docker(&docker);
    options::describe(&mut meta, parsed);
    // Without its metadata a context does not exist, so that comes last.
    let written = store.write_tls(name, &tls).and_then(|()| store.write(&meta));
    if let Err(reason) = written {
        _ = store.remove(name);
        return Err(Failure::new(reason));
    }
    done(name, "created")
}
