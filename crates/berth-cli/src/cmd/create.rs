//! `create`.

use crate::command::{Args, Command};
use crate::create::{self, flags};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "create",
    usage: "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
    about: "Make a container without starting it",
    aliases: &["container create", "create"],
    flags: flags::CREATE,
    args: Args::AtLeast(1),
    interspersed: false,
    wants_daemon: true,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let mut plan = create::plan(parsed).map_err(|reason| session.program.not_run(&reason, &session.path, 125))?;
    create::check_format(parsed)?;
    let client = session.client()?;
    plan.add_proxies(session, &client);
    if parsed.on("dry-run") {
        return create::show(session, &client, &plan, parsed);
    }
    let id = session.block_on(create::make(session, &client, &plan))?.map_err(Failure::new)?;
    crate::print(&format!(
        "{id}
"
    ));
    Ok(0)
}
