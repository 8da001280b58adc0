//! `run`: create and start at once, and in the foreground wait and delete.

use super::arguments::{Flag, Parsed};
use super::create::{Making, after_start};
use super::supervise::{Signals, until_end};
use super::{CommandError, Global, control};
use crate::launch::{Born, Start};
use crate::program;

pub(crate) const FLAGS: &[Flag] = &[
    Flag::value(&["bundle", "b"]),
    Flag::value(&["config", "f"]),
    Flag::value(&["console-socket"]),
    Flag::value(&["pidfd-socket"]),
    Flag::value(&["pid-file"]),
    Flag::switch(&["no-pivot"]),
    Flag::switch(&["no-new-keyring"]),
    Flag::value(&["preserve-fds"]),
    Flag::switch(&["detach", "d"]),
    Flag::switch(&["keep"]),
    Flag::switch(&["no-subreaper"]),
];

pub(crate) fn run(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    program::run_protected()?;
    let detach = args.has("detach");
    let making = Making::begin(global, args)?;
    if making.terminal() && detach && args.value("console-socket").is_none() {
        return making.undo(CommandError::usage("a detached terminal needs --console-socket"));
    }
    if !detach && !args.has("no-subreaper") {
        // What the container's init leaves behind comes to us, so that nothing stays a zombie.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
    let signals = if detach { None } else { Some(Signals::catch()?) };
    let (container, mut born) = making.bear(args, Start::AtOnce)?;
    if let Err(error) = after_start(&container) {
        let _ = control::destroy(&container);
        return Err(error);
    }
    let Some(signals) = signals else { return Ok(0) };
    if args.value("console-socket").is_some() {
        born.terminal = None;
    }
    let Born { pid, pidfd, terminal } = born;
    let code = until_end(Born { pid, pidfd, terminal }, &signals)?;
    if !args.has("keep") {
        control::destroy(&container)?;
    }
    Ok(code)
}
