//! `completion SHELL`: prints the script that makes a shell complete our command lines.

use crate::command::{Args, Command, Group};
use crate::complete::script;
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;

const SHELL: Command = Command {
    name: "",
    usage: "",
    about: "",
    aliases: &[],
    flags: &[],
    args: Args::None,
    interspersed: true,
    wants_daemon: false,
    run,
};

const BASH: Command = Command { name: "bash", usage: "bash", about: "The completion script for bash", ..SHELL };
const FISH: Command = Command { name: "fish", usage: "fish", about: "The completion script for fish", ..SHELL };
const POWERSHELL: Command =
    Command { name: "powershell", usage: "powershell", about: "The completion script for PowerShell", ..SHELL };
const ZSH: Command = Command { name: "zsh", usage: "zsh", about: "The completion script for zsh", ..SHELL };

pub(crate) const GROUP: Group = Group {
    name: "completion",
    about: "Print the script that completes command lines in a shell",
    commands: &[("bash", &BASH), ("fish", &FISH), ("powershell", &POWERSHELL), ("zsh", &ZSH)],
    not_yet: &[],
};

fn run(session: &Session, _: &Parsed) -> Outcome {
    let name = session.command.name;
    let script = script::of(session.program, name).ok_or_else(|| Failure::new(format!("no script for {name}")))?;
    crate::print(&script);
    Ok(0)
}
