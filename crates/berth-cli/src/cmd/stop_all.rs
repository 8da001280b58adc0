//! `system stop-all`: what a service manager calls when the host goes down.

use crate::command::{Args, Command};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "stop-all",
    usage: "stop-all",
    about: "Stop every container, each within its own time, because the host goes down",
    aliases: &[],
    flags: &[],
    args: Args::None,
    interspersed: true,
    // Containers run without a daemon too: one that takes them up is needed then.
    wants_daemon: true,
    run,
};

fn run(session: &Session, _: &Parsed) -> Outcome {
    let client = session.client()?;
    let done = session.block_on(client.stop_all())??;
    for name in &done.stopped {
        crate::print(&format!("{name}\n"));
    }
    for (name, error) in &done.failed {
        eprintln!("stopping {name}: {error}");
    }
    if done.failed.is_empty() { Ok(0) } else { Err(Failure::silent(1)) }
}
