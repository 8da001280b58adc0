//! The portable half: what differs from the image.

use berth_api::container::HealthConfig;
use berth_api::{ContainerConfig, HostConfig};

use super::Line;

pub(super) fn spell(line: &mut Line, of: &ContainerConfig, on: &HostConfig, image: &ContainerConfig, short_id: &str) {
    streams(line, of);
    if of.hostname != short_id && !on.network_mode.starts_with("host") && on.uts_mode != "host" {
        line.pair("--hostname", &of.hostname);
    }
    line.pair("--domainname", &of.domainname);
    if of.user != image.user {
        line.pair("--user", &of.user);
    }
    if of.working_dir != image.working_dir {
        line.pair("--workdir", &of.working_dir);
    }
    environment(line, of, image);
    for (name, value) in of.labels.iter().flatten() {
        if image.labels.as_ref().and_then(|labels| labels.get(name)) != Some(value) {
            line.pair("--label", format!("{name}={value}"));
        }
    }
    let published = on.port_bindings.as_ref();
    for port in of.exposed_ports.keys() {
        let told = published.is_some_and(|ports| ports.contains_key(port)) || image.exposed_ports.contains_key(port);
        if !told {
            line.pair("--expose", port);
        }
    }
    line.pair("--mac-address", &of.mac_address);
    if of.stop_signal != image.stop_signal {
        line.pair("--stop-signal", &of.stop_signal);
    }
    if let Some(seconds) = of.stop_timeout {
        line.pair("--stop-timeout", seconds.to_string());
    }
    if of.healthcheck != image.healthcheck {
        health(line, of.healthcheck.as_ref());
    }
    if of.on_build.iter().flatten().next().is_some() && of.on_build != image.on_build {
        line.unsaid.push("build triggers (OnBuild) of its own".to_owned());
    }
}

fn streams(line: &mut Line, of: &ContainerConfig) {
    if of.open_stdin {
        line.flag("--interactive");
    }
    if of.tty {
        line.flag("--tty");
    }
    let attached = [("stdin", of.attach_stdin), ("stdout", of.attach_stdout), ("stderr", of.attach_stderr)];
    match attached.map(|(_, on)| on) {
        [false, false, false] => line.flag("--detach"),
        [stdin, true, true] if stdin == of.open_stdin => {}
        _ => line.each("--attach", attached.iter().filter(|(_, on)| *on).map(|(name, _)| *name)),
    }
}

fn environment(line: &mut Line, of: &ContainerConfig, image: &ContainerConfig) {
    const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let has = |lines: &Option<Vec<String>>, text: &str| lines.iter().flatten().any(|line| line == text);
    let name_of = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    for variable in of.env.iter().flatten() {
        let usual = variable == PATH && !image.env.iter().flatten().any(|line| name_of(line) == "PATH");
        if !has(&image.env, variable) && !usual {
            line.pair("--env", variable);
        }
    }
    for variable in image.env.iter().flatten() {
        let name = name_of(variable);
        if !of.env.iter().flatten().any(|line| name_of(line) == name) {
            // Bare, where the variable is not set around us: it takes the image's away.
            line.pair("--env", &name);
        }
    }
}

fn health(line: &mut Line, check: Option<&HealthConfig>) {
    let Some(check) = check else { return };
    match check.test.as_slice() {
        [none] if none == "NONE" => return line.flag("--no-healthcheck"),
        [] => {}
        [shell, command] if shell == "CMD-SHELL" => line.pair("--health-cmd", command),
        [kind, words @ ..] if kind == "CMD" => {
            line.pair("--health-cmd", words.join(" "));
            line.unsaid.push("that the health check's command runs without a shell".to_owned());
        }
        _ => line.unsaid.push("the health check's command".to_owned()),
    }
    for (flag, nanoseconds) in [
        ("--health-interval", check.interval),
        ("--health-timeout", check.timeout),
        ("--health-start-period", check.start_period),
        ("--health-start-interval", check.start_interval),
    ] {
        if nanoseconds != 0 {
            line.pair(flag, format!("{nanoseconds}ns"));
        }
    }
    line.number("--health-retries", check.retries);
}

/// `--entrypoint` where it differs from the image's, and what follows the image's name.
pub(super) fn command(of: &ContainerConfig, image: &ContainerConfig) -> (Option<String>, Vec<String>) {
    let words = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let (entrypoint, command) = (words(&of.entrypoint), words(&of.cmd));
    let (theirs, default) = (words(&image.entrypoint), words(&image.cmd));
    if entrypoint == theirs && command == default {
        return (None, Vec::new());
    }
    // A command that is none can only be had by naming the entrypoint again, which forgets the image's command.
    if entrypoint == theirs && !command.is_empty() {
        return (None, command);
    }
    match entrypoint.split_first() {
        None => (Some(String::new()), command),
        Some((program, rest)) => (Some(program.clone()), rest.iter().cloned().chain(command).collect()),
    }
}
