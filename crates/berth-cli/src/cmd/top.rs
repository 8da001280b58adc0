//! `top`.

use crate::command::{Args, Command};
use crate::failure::Outcome;
use crate::flag::Parsed;
use crate::session::Session;
use crate::table;

pub(crate) const COMMAND: Command = Command {
    name: "top",
    usage: "top CONTAINER [ps OPTIONS]",
    about: "List the processes of a container",
    aliases: &["container top", "top"],
    flags: &[],
    args: Args::AtLeast(1),
    interspersed: false,
    wants_daemon: false,
    run,
};

/// The least width of a column, as in Docker's table.
const WIDTH: usize = 20;

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let Some((container, arguments)) = parsed.args.split_first() else { return Ok(0) };
    let client = session.client()?;
    let top = session.block_on(client.container_top(container, arguments))??;
    let lines: String = std::iter::once(&top.titles).chain(&top.processes).map(|row| row.join("\t") + "\n").collect();
    crate::print(&table::align_to(&lines, WIDTH));
    Ok(0)
}
