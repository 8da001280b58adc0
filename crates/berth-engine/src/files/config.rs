//! The configuration of an image made of a container: what the container was, and Dockerfile instructions on top.

use std::collections::BTreeMap;

use berth_dockerfile::{Command, Health, Instruction, words};
use berth_oci::{ContainerConfig, HealthConfig};
use serde_json::{Map, Value};

use crate::health::HealthCheck;
use crate::plan::mounts::clean;
use crate::plan::signals;
use crate::view::Effective;
use crate::{Error, Result};

/// What runs a command's shell form where the image names no other.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

type Keys = BTreeMap<String, Value>;

/// What the container starts from, as an image says it.
pub(super) fn of_container(effective: &Effective) -> ContainerConfig {
    let keys = |list: &[String]| -> Option<Keys> {
        (!list.is_empty()).then(|| list.iter().map(|key| (key.clone(), Value::Object(Map::new()))).collect())
    };
    ContainerConfig {
        user: effective.user.clone(),
        exposed_ports: keys(&effective.exposed_ports),
        env: Some(effective.env.clone()),
        entrypoint: effective.entrypoint.clone(),
        cmd: effective.cmd.clone(),
        volumes: keys(&effective.volumes),
        working_dir: effective.working_dir.clone(),
        labels: Some(effective.labels.clone()),
        stop_signal: effective.stop_signal.clone(),
        stop_timeout: effective.stop_timeout,
        healthcheck: effective.health.as_ref().map(health),
        on_build: effective.on_build.clone(),
        shell: effective.shell.clone(),
        extra: Map::new(),
    }
}

fn health(check: &HealthCheck) -> HealthConfig {
    let time = |time: i64| (time != 0).then_some(time);
    HealthConfig {
        test: Some(check.test.clone()),
        interval: time(check.interval),
        timeout: time(check.timeout),
        start_period: time(check.start_period),
        start_interval: time(check.start_interval),
        retries: time(check.retries),
    }
}

/// What a request says instead of the container: what it leaves open is the container's.
pub(super) fn merge(asked: ContainerConfig, container: ContainerConfig) -> ContainerConfig {
    let or = |asked: String, own: String| if asked.is_empty() { own } else { asked };
    let both = |asked: Option<Keys>, own: Option<Keys>| match (asked, own) {
        (Some(asked), Some(own)) => Some(own.into_iter().chain(asked).collect()),
        (asked, own) => asked.or(own),
    };
    let no_entrypoint = asked.entrypoint.as_ref().is_none_or(Vec::is_empty);
    let cmd = asked.cmd.filter(|cmd| !cmd.is_empty());
    ContainerConfig {
        user: or(asked.user, container.user),
        exposed_ports: both(asked.exposed_ports, container.exposed_ports),
        env: Some(merge_env(asked.env.unwrap_or_default(), container.env.unwrap_or_default())),
        cmd: if no_entrypoint { cmd.or(container.cmd) } else { cmd },
        entrypoint: asked.entrypoint.or(container.entrypoint),
        volumes: both(asked.volumes, container.volumes),
        working_dir: or(asked.working_dir, container.working_dir),
        labels: Some(container.labels.into_iter().flatten().chain(asked.labels.into_iter().flatten()).collect()),
        stop_signal: or(asked.stop_signal, container.stop_signal),
        stop_timeout: asked.stop_timeout.or(container.stop_timeout),
        healthcheck: asked.healthcheck.or(container.healthcheck),
        on_build: asked.on_build.or(container.on_build),
        shell: asked.shell.or(container.shell),
        extra: Map::new(),
    }
}

fn name(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(name, _)| name)
}

fn merge_env(mut asked: Vec<String>, own: Vec<String>) -> Vec<String> {
    let missing: Vec<String> =
        own.into_iter().filter(|own| !asked.iter().any(|asked| name(asked) == name(own))).collect();
    asked.extend(missing);
    asked
}

/// Applies instructions, one after another.
///
/// # Errors
/// What is wrong with one; nothing has happened then.
pub(super) fn apply(config: &mut ContainerConfig, changes: &[String]) -> Result<()> {
    let mut cmd_set = false;
    // One change may be several lines, as `commit --change` in files of scripts has them.
    for line in changes.iter().flat_map(|change| change.lines()).filter(|line| !line.trim().is_empty()) {
        let instruction = Instruction::parse(line).map_err(invalid)?;
        one(config, instruction, &mut cmd_set)?;
    }
    Ok(())
}

fn invalid(error: berth_dockerfile::Error) -> Error {
    Error::Invalid(error.to_string())
}

fn one(config: &mut ContainerConfig, instruction: Instruction, cmd_set: &mut bool) -> Result<()> {
    let env: Vec<String> = config.env.clone().unwrap_or_default();
    let variable = |wanted: &str| {
        env.iter().find(|e| name(e) == wanted).map(|e| e.split_once('=').unwrap_or((e, "")).1.to_owned())
    };
    let expand = |word: &str| words::expand(word, &variable).map_err(invalid);
    match instruction {
        Instruction::Cmd(command) => {
            config.cmd = Some(argv(command, config));
            *cmd_set = true;
        }
        Instruction::Entrypoint(command) => {
            config.entrypoint = Some(argv(command, config)).filter(|words| !words.is_empty());
            if !*cmd_set {
                // The command was the old entrypoint's arguments.
                config.cmd = None;
            }
        }
        Instruction::Env(pairs) => {
            for (key, value) in pairs {
                let (key, value) = (expand(&key)?, expand(&value)?);
                let env = config.env.get_or_insert_default();
                let entry = format!("{key}={value}");
                match env.iter_mut().find(|e| name(e) == key) {
                    Some(old) => *old = entry,
                    None => env.push(entry),
                }
            }
        }
        Instruction::Label(pairs) => {
            for (key, value) in pairs {
                config.labels.get_or_insert_default().insert(expand(&key)?, expand(&value)?);
            }
        }
        Instruction::Expose(ports) => {
            for port in ports {
                for port in expand(&port)?.split_whitespace() {
                    insert(&mut config.exposed_ports, ports_of(port)?);
                }
            }
        }
        Instruction::Volume(paths) => {
            for path in paths {
                let path = expand(&path)?.trim().to_owned();
                if path.is_empty() {
                    return Err(Error::Invalid("VOLUME specified can not be an empty string".into()));
                }
                insert(&mut config.volumes, vec![path]);
            }
        }
        Instruction::Healthcheck(check) => config.healthcheck = Some(check_of(check, config)),
        Instruction::OnBuild(trigger) => config.on_build.get_or_insert_default().push(trigger),
        Instruction::StopSignal(signal) => {
            let signal = expand(&signal)?;
            signals::parse(&signal)?;
            config.stop_signal = signal;
        }
        Instruction::User(user) => config.user = expand(&user)?,
        Instruction::Workdir(path) => {
            let path = expand(&path)?;
            config.working_dir =
                if path.starts_with('/') { clean(&path) } else { clean(&format!("{}/{path}", config.working_dir)) };
        }
    }
    Ok(())
}

fn insert(keys: &mut Option<Keys>, new: Vec<String>) {
    keys.get_or_insert_default().extend(new.into_iter().map(|key| (key, Value::Object(Map::new()))));
}

fn argv(command: Command, config: &ContainerConfig) -> Vec<String> {
    match command {
        Command::Exec(words) => words,
        Command::Shell(text) => {
            let shell = config.shell.clone().unwrap_or_else(|| SHELL.iter().map(ToString::to_string).collect());
            [shell, vec![text]].concat()
        }
    }
}

fn check_of(check: Health, config: &ContainerConfig) -> HealthConfig {
    let time = |time: i64| (time != 0).then_some(time);
    match check {
        Health::None => HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() },
        Health::Check { command, interval, timeout, start_period, start_interval, retries } => {
            let test = match command {
                Command::Exec(words) => [vec!["CMD".to_owned()], words].concat(),
                Command::Shell(text) if config.shell.is_none() => vec!["CMD-SHELL".into(), text],
                shell => [vec!["CMD".to_owned()], argv(shell, config)].concat(),
            };
            HealthConfig {
                test: Some(test),
                interval: time(interval),
                timeout: time(timeout),
                start_period: time(start_period),
                start_interval: time(start_interval),
                retries: time(retries),
            }
        }
    }
}

/// `80`, `80/udp`, `80-90`, as `port/protocol`.
fn ports_of(text: &str) -> Result<Vec<String>> {
    let wrong = || Error::Invalid(format!("Invalid containerPort: {text}"));
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(Error::Invalid(format!("Invalid proto: {protocol}")));
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn applied(changes: &[&str]) -> Result<ContainerConfig> {
        let mut config = ContainerConfig {
            cmd: Some(words(&["sh"])),
            env: Some(words(&["PATH=/bin", "A=1"])),
            working_dir: "/srv".into(),
            ..ContainerConfig::default()
        };
        apply(&mut config, &words(changes)).map(|()| config)
    }

    #[test]
    fn instructions_change_the_configuration() {
        let config = applied(&[
            "ENV PATH=$PATH:/x A=\"2 3\" B=b",
            "LABEL x=y z=\"q r\"",
            "EXPOSE 80 90-91/udp",
            "VOLUME /v",
            "WORKDIR rel",
            "USER web",
            "STOPSIGNAL 9",
            "ONBUILD RUN x",
            "HEALTHCHECK --interval=5s CMD true",
        ]);
        let config = config.unwrap();
        assert_eq!(config.env, Some(words(&["PATH=/bin:/x", "A=2 3", "B=b"])));
        assert_eq!(config.labels.unwrap()["z"], "q r");
        assert_eq!(config.exposed_ports.unwrap().into_keys().collect::<Vec<_>>(), ["80/tcp", "90/udp", "91/udp"]);
        assert_eq!((&*config.working_dir, &*config.user, &*config.stop_signal), ("/srv/rel", "web", "9"));
        assert_eq!(config.healthcheck.unwrap().test, Some(words(&["CMD-SHELL", "true"])));
        assert_eq!(config.cmd, Some(words(&["sh"])));
    }

    #[test]
    fn an_entrypoint_drops_the_old_command() {
        let config = applied(&["ENTRYPOINT echo hi"]).unwrap();
        assert_eq!((config.entrypoint, config.cmd), (Some(words(&["/bin/sh", "-c", "echo hi"])), None));
        let config = applied(&["CMD [\"a\"]", "ENTRYPOINT [\"b\"]"]).unwrap();
        assert_eq!((config.entrypoint, config.cmd), (Some(words(&["b"])), Some(words(&["a"]))));
    }

    #[test]
    fn wrong_ones_are_refused() {
        for (change, sentence) in [
            ("EXPOSE x", "Invalid containerPort: x"),
            ("STOPSIGNAL FOO", "FOO"),
            ("RUN x", "run is not a valid change command"),
            ("ENV A=\"b", "quote"),
        ] {
            let error = applied(&[change]).unwrap_err().to_string();
            assert!(error.contains(sentence), "{change}: {error}");
        }
    }

    #[test]
    fn a_request_counts_more_than_the_container() {
        let asked =
            ContainerConfig { cmd: Some(words(&["x"])), env: Some(words(&["A=2"])), ..ContainerConfig::default() };
        let container =
            ContainerConfig { user: "web".into(), env: Some(words(&["A=1", "B=1"])), ..ContainerConfig::default() };
        let merged = merge(asked, container);
        assert_eq!((merged.cmd, &*merged.user), (Some(words(&["x"])), "web"));
        assert_eq!(merged.env, Some(words(&["A=2", "B=1"])));
    }
}
