//! `exec`: a further process in a running container.

use std::fs;
use std::os::fd::AsFd;

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities, Process, User};

use super::arguments::{Flag, Parsed};
use super::create::{announce, own_streams, preserve_fds};
use super::state::{Container, Status};
use super::supervise::{Signals, until_end};
use super::{CommandError, Global};
use crate::join::{Join, join};
use crate::launch::Stdio;
use crate::program;

pub(crate) const FLAGS: &[Flag] = &[
    Flag::value(&["console-socket"]),
    Flag::value(&["pidfd-socket"]),
    Flag::value(&["cwd"]),
    Flag::value(&["env", "e"]),
    Flag::switch(&["tty", "t"]),
    Flag::value(&["user", "u"]),
    Flag::value(&["additional-gids", "g"]),
    Flag::value(&["process", "p"]),
    Flag::switch(&["detach", "d"]),
    Flag::value(&["pid-file"]),
    Flag::value(&["process-label"]),
    Flag::value(&["apparmor"]),
    Flag::switch(&["no-new-privs"]),
    Flag::value(&["cap", "c"]),
    Flag::value(&["preserve-fds"]),
    Flag::value(&["cgroup"]),
    Flag::switch(&["ignore-paused"]),
    Flag::switch(&["no-subreaper"]),
    Flag::switch(&["no-new-keyring"]),
];

pub(crate) fn exec(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    program::run_protected()?;
    let container = Container::load(&global.root, args.id()?)?;
    match container.status() {
        Status::Stopped => return Err(CommandError::usage("cannot exec in a stopped container")),
        Status::Paused if !args.has("ignore-paused") => {
            return Err(CommandError::usage("cannot exec in a paused container (use --ignore-paused to override)"));
        }
        _ => {}
    }
    let init = container.init().ok_or_else(|| CommandError::usage("cannot exec in a stopped container"))?;
    let process = process(&container, args)?;
    let terminal = process.terminal().unwrap_or(false);
    let (detach, socket) = (args.has("detach"), args.value("console-socket"));
    if terminal && detach && socket.is_none() {
        return Err(CommandError::usage("a detached terminal needs --console-socket"));
    }
    let filter = container.filter()?;
    let size = process.console_size();
    let characters = |number: u64| u16::try_from(number).unwrap_or(0);
    let stdio = if terminal {
        Stdio::Terminal {
            rows: size.map_or(0, |size| characters(size.height())),
            columns: size.map_or(0, |size| characters(size.width())),
        }
    } else {
        Stdio::Fds(own_streams())
    };
    let signals = if detach { None } else { Some(Signals::catch()?) };
    let mut born = join(Join {
        init: init.as_fd(),
        init_pid: container.pid(),
        process: &process,
        cgroup: container.record.cgroup.as_ref(),
        seccomp: filter.as_ref(),
        stdio,
        preserve_fds: preserve_fds(args)?,
        no_new_keyring: args.has("no-new-keyring"),
    })?;
    announce(args, &born)?;
    if socket.is_some() {
        born.terminal = None;
    }
    match signals {
        Some(signals) => until_end(born, &signals),
        None => Ok(0),
    }
}

/// What to run: a whole process from a file, or the container's own with what the flags change.
fn process(container: &Container, args: &Parsed) -> Result<Process, CommandError> {
    if let Some(path) = args.value("process") {
        let text = fs::read(path).map_err(CommandError::file("cannot read", path))?;
        let mut process: Process = serde_json::from_slice(&text)
            .map_err(|error| CommandError::usage(format!("{path} is not a valid process: {error}")))?;
        if args.has("tty") {
            process.set_terminal(Some(true));
        }
        return Ok(process);
    }
    let spec = container.spec()?;
    let mut process = spec.process().clone().unwrap_or_default();
    let command = args.positional.get(1..).filter(|words| !words.is_empty());
    let command = command.ok_or_else(|| CommandError::usage("exec needs a command, or --process"))?;
    process.set_args(Some(command.to_vec()));
    process.set_terminal(Some(args.has("tty")));
    process.set_console_size(None);
    if let Some(cwd) = args.value("cwd") {
        process.set_cwd(cwd.into());
    }
    let mut env = process.env().clone().unwrap_or_default();
    env.extend(args.all("env").map(str::to_owned));
    process.set_env(Some(env));
    if let Some(user) = args.value("user") {
        process.set_user(user_of(user)?);
    }
    let groups: Result<Vec<u32>, _> = args.all("additional-gids").map(number).collect();
    let groups = groups?;
    if !groups.is_empty() {
        process.user_mut().set_additional_gids(Some(groups));
    }
    if let Some(label) = args.value("process-label") {
        process.set_selinux_label(Some(label.to_owned()));
    }
    if let Some(profile) = args.value("apparmor") {
        process.set_apparmor_profile(Some(profile.to_owned()));
    }
    if args.has("no-new-privs") {
        process.set_no_new_privileges(Some(true));
    }
    add_capabilities(&mut process, args)?;
    Ok(process)
}

fn add_capabilities(process: &mut Process, args: &Parsed) -> Result<(), CommandError> {
    let mut more = Capabilities::new();
    for name in args.all("cap").flat_map(|names| names.split(',')) {
        let capability = serde_json::from_value::<Capability>(serde_json::Value::from(name))
            .map_err(|_| CommandError::usage(format!("unknown capability {name:?}")))?;
        more.insert(capability);
    }
    if more.is_empty() {
        return Ok(());
    }
    let sets = process.capabilities().clone();
    let sets = sets.unwrap_or_else(|| {
        let mut empty = LinuxCapabilities::default();
        for set in [
            LinuxCapabilities::set_bounding,
            LinuxCapabilities::set_effective,
            LinuxCapabilities::set_permitted,
            LinuxCapabilities::set_inheritable,
            LinuxCapabilities::set_ambient,
        ] {
            set(&mut empty, None);
        }
        empty
    });
    let with = |set: &Option<Capabilities>| Some(set.iter().flatten().chain(&more).copied().collect());
    let mut wider = sets.clone();
    wider.set_bounding(with(sets.bounding()));
    wider.set_effective(with(sets.effective()));
    wider.set_permitted(with(sets.permitted()));
    process.set_capabilities(Some(wider));
    Ok(())
}

/// `uid[:gid]`
fn user_of(text: &str) -> Result<User, CommandError> {
    let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
    let mut user = User::default();
    user.set_uid(number(uid)?);
    user.set_gid(gid.map_or(Ok(0), number)?);
    Ok(user)
}

fn number(text: &str) -> Result<u32, CommandError> {
    text.parse().map_err(|_| CommandError::usage(format!("{text:?} is not a numeric id")))
}
