//! `context import`.

use super::done;
use crate::command::{Args, Command};
use crate::context::{self, Store, archive};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::grammar::os_error;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "import",
    usage: "import CONTEXT FILE|-",
    about: "Make a context from a tar archive (FILE, or standard input)",
    aliases: &[],
    flags: &[],
    args: Args::Exactly(2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let [name, path] = parsed.args.as_slice() else { return Ok(0) };
    context::check_name(name)?;
    let store = Store::of(session.config());
    if store.exists(name) {
        return Err(Failure::new(format!("context {name:?} already exists")));
    }
    let mut imported = match path.as_str() {
        "-" => archive::read(std::io::stdin().lock())?,
        path => archive::read(std::fs::File::open(path).map_err(|e| Failure::new(os_error("open", path, &e)))?)?,
    };
    name.clone_into(&mut imported.meta.name);
    let written = store.write_tls(name, &imported.tls).and_then(|()| store.write(&imported.meta));
    if let Err(reason) = written {
        _ = store.remove(name);
        return Err(Failure::new(reason));
    }
    done(name, "imported")
}
