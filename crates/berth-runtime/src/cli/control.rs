//! Looking at containers, signalling, pausing and deleting them.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::arguments::{Flag, Parsed};
use super::state::{self, Container, Status};
use super::{CommandError, Global};
use crate::hooks;

pub(crate) const KILL: &[Flag] = &[Flag::switch(&["all", "a"]), Flag::switch(&["regex", "r"])];
pub(crate) const DELETE: &[Flag] = &[Flag::switch(&["force", "f"]), Flag::switch(&["regex", "r"])];
pub(crate) const LIST: &[Flag] = &[Flag::value(&["format", "f"]), Flag::switch(&["quiet", "q"])];
pub(crate) const PS: &[Flag] = &[Flag::value(&["format", "f"])];

/// `state`: the specification's state, and a few words more that runc says too.
pub(crate) fn state(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    print(&serde_json::to_string_pretty(&described(&container)).unwrap_or_default());
    Ok(0)
}

fn described(container: &Container) -> serde_json::Value {
    let record = &container.record;
    let status = container.status();
    let spec = container.spec().ok();
    serde_json::json!({
        "ociVersion": record.oci_version,
        "id": record.id,
        "status": status.word(),
        "pid": if status == Status::Stopped { 0 } else { record.pid },
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
        "annotations": spec.as_ref().and_then(|spec| spec.annotations().clone()).unwrap_or_default(),
        "owner": "root",
    })
}

/// `list`
pub(crate) fn list(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let containers = state::all(&global.root);
    if args.has("quiet") {
        containers.iter().for_each(|container| print(&container.record.id));
    } else if args.value("format") == Some("json") {
        let all: Vec<_> = containers.iter().map(described).collect();
        print(&if all.is_empty() { "null".to_owned() } else { serde_json::Value::from(all).to_string() });
    } else {
        let longest = containers.iter().map(|container| container.record.id.len()).max().unwrap_or(0).max(2);
        print(&format!("{:longest$}  {:<8}  {:<8}  {:<30}  BUNDLE", "ID", "PID", "STATUS", "CREATED"));
        for container in &containers {
            let (record, status) = (&container.record, container.status());
            let pid = if status == Status::Stopped { 0 } else { record.pid };
            let bundle = record.bundle.display();
            print(&format!("{:longest$}  {pid:<8}  {:<8}  {:<30}  {bundle}", record.id, status.word(), record.created));
        }
    }
    Ok(0)
}

/// `ps`: pids as JSON, or what `ps` says of them.
pub(crate) fn ps(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    let mut words = args.positional[1..].to_vec();
    let mut format = args.value("format").map(str::to_owned);
    if let Some(position) = words.iter().position(|word| matches!(word.as_str(), "--format" | "-f")) {
        // Only our own spelling: `-f` with a format's name after it.
        if words.get(position + 1).is_some_and(|value| value == "json" || value == "table") {
            format = Some(words.remove(position + 1));
            words.remove(position);
        }
    }
    let pids = container.record.cgroup.as_ref().map_or_else(|| Ok(Vec::new()), berth_cgroup::Cgroup::pids)?;
    if format.as_deref() == Some("json") {
        print(&serde_json::json!(pids).to_string());
        return Ok(0);
    }
    if words.is_empty() {
        words.push("-ef".to_owned());
    }
    let Ok(output) = Command::new("ps").args(&words).output() else {
        pids.iter().for_each(|pid| print(&pid.to_string()));
        return Ok(0);
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    let head = lines.next().unwrap_or_default();
    let column = head.split_whitespace().position(|word| word == "PID");
    let column = column.ok_or_else(|| CommandError::usage("ps prints no PID column with these options"))?;
    print(head);
    for line in lines {
        let pid = line.split_whitespace().nth(column).and_then(|pid| pid.parse::<i32>().ok());
        if pid.is_some_and(|pid| pids.contains(&pid)) {
            print(line);
        }
    }
    Ok(0)
}

/// `kill`
pub(crate) fn kill(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    let signal = signal_number(args.positional.get(1).map_or("SIGTERM", String::as_str))?;
    let cgroup = container.record.cgroup.as_ref();
    if let (true, Some(cgroup)) = (args.has("all"), cgroup) {
        cgroup.kill_all(kernel_signal(signal)?)?;
        return Ok(0);
    }
    match container.signal(signal) {
        Ok(()) if signal == 9 => {
            // A frozen process does not die: it is let go, to its death.
            let _ = cgroup.map(berth_cgroup::Cgroup::thaw);
            Ok(0)
        }
        done => done.map(|()| 0),
    }
}

fn kernel_signal(number: i32) -> Result<Signal, CommandError> {
    Signal::from_named_raw(number)
        .ok_or_else(|| CommandError::usage(format!("signal {number} cannot be sent to all processes")))
}

/// `pause`
pub(crate) fn pause(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    match container.status() {
        Status::Running | Status::Created => {}
        other => return Err(CommandError::usage(format!("container not running: it is {}", other.word()))),
    }
    container.record.cgroup.as_ref().map_or(Ok(()), berth_cgroup::Cgroup::freeze)?;
    Ok(0)
}

/// `resume`
pub(crate) fn resume(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    if container.status() != Status::Paused {
        return Err(CommandError::usage("container not paused"));
    }
    container.record.cgroup.as_ref().map_or(Ok(()), berth_cgroup::Cgroup::thaw)?;
    Ok(0)
}

/// `delete`
pub(crate) fn delete(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let id = args.id()?;
    let force = args.has("force");
    let container = match Container::load(&global.root, id) {
        Ok(container) => container,
        Err(CommandError::Missing(_)) if force => {
            // What a creation that was killed has left has no state yet.
            let _ = std::fs::remove_dir_all(global.root.join(id));
            return Ok(0);
        }
        Err(error) => return Err(error),
    };
    match container.status() {
        Status::Stopped => {}
        Status::Created => end(&container)?,
        _ if force => end(&container)?,
        other => {
            return Err(CommandError::usage(format!(
                "cannot delete container {id} that is not stopped: {}",
                other.word()
            )));
        }
    }
    destroy(&container)?;
    Ok(0)
}

/// Kills the init and waits until it has ended.
fn end(container: &Container) -> Result<(), CommandError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let Some(init) = container.init() else { return Ok(()) };
    let _ = container.signal(9);
    if let Some(cgroup) = &container.record.cgroup {
        let _ = cgroup.thaw();
    }
    wait_for_end(&init, PATIENCE)
}

fn wait_for_end(init: &OwnedFd, patience: Duration) -> Result<(), CommandError> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::from_borrowed_fd(init.as_fd(), PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(CommandError::usage("the container's init does not end")),
            Err(rustix::io::Errno::INTR) => {}
            _ => return Ok(()),
        }
    }
}

/// Removes what is left of a container whose init has ended.
pub(crate) fn destroy(container: &Container) -> Result<(), CommandError> {
    if let Some(cgroup) = &container.record.cgroup {
        // Without a pid namespace of its own, processes may outlive the init.
        if cgroup.exists() {
            let _ = cgroup.kill_all(Signal::KILL);
            cgroup.remove()?;
        }
    }
    let spec = container.spec().ok();
    container.forget()?;
    let record = &container.record;
    if let Some(poststop) = spec.as_ref().and_then(|spec| spec.hooks().as_ref()?.poststop().as_ref()) {
        let spec = spec.as_ref().map_or_else(Default::default, Clone::clone);
        let state = hooks::state_json(&spec, &record.id, "stopped", 0, &record.bundle);
        // The container is gone whatever they say: the specification wants failures told, not heeded.
        if let Err(error) = hooks::run("poststop", poststop, &state) {
            eprintln!("berth runtime: {error}");
        }
    }
    Ok(())
}

/// `9`, `KILL`, `SIGKILL`, `RTMIN+1`.
fn signal_number(text: &str) -> Result<i32, CommandError> {
    const NAMES: &[&str] = &[
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    let unknown = || CommandError::usage(format!("unknown signal {text:?}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (0..=64).contains(&number) { Ok(number) } else { Err(unknown()) };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let position = NAMES.iter().position(|known| *known == name).and_then(|position| i32::try_from(position + 1).ok());
    let real_time = || {
        let offset = |rest: &str| if rest.is_empty() { Some(0) } else { rest.parse::<i32>().ok() };
        let from_low = name.strip_prefix("RTMIN").and_then(offset).map(|offset| 34 + offset);
        from_low.or_else(|| name.strip_prefix("RTMAX").and_then(offset).map(|offset| 64 + offset))
    };
    let other = match name {
        "IOT" => Some(6),
        "CLD" => Some(17),
        "POLL" => Some(29),
        _ => None,
    };
    position.or(other).or_else(real_time).filter(|number| (1..=64).contains(number)).ok_or_else(unknown)
}

/// A line on standard output; a reader that has gone is no error of ours.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::signal_number;

    #[test]
    fn signals_by_name_and_number() {
        for (text, number) in [("9", 9), ("KILL", 9), ("sigterm", 15), ("SIGRTMIN+1", 35), ("RTMAX-1", 63), ("SYS", 31)]
        {
            assert_eq!(signal_number(text).unwrap(), number, "{text}");
        }
        assert!(signal_number("NOPE").is_err());
        assert!(signal_number("65").is_err());
    }
}
