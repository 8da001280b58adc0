//! A request and an image's configuration, merged as Docker merges them.

use berth_oci::ImageConfig;

use super::points;
use crate::health::HealthCheck;
use crate::host::HostFacts;
use crate::id::ContainerId;
use crate::spec::{ContainerSpec, NetworkMode};
use crate::view::Effective;
use crate::{Error, Result};

/// What a container is, from what was asked and what its image says.
///
/// # Errors
/// No command at all; a working directory that is not absolute.
pub fn merge(id: &ContainerId, spec: &ContainerSpec, image: &ImageConfig, host: &HostFacts) -> Result<Effective> {
    let defaults = &image.config;
    let (entrypoint, cmd) = command(spec, defaults.entrypoint.as_ref(), defaults.cmd.as_ref());
    let first = |asked: &str, default: &str| if asked.is_empty() { default.to_owned() } else { asked.to_owned() };
    let working_dir = first(&spec.process.working_dir, &defaults.working_dir);
    if !working_dir.is_empty() && !working_dir.starts_with('/') {
        return Err(Error::Invalid(format!(
            "the working directory '{working_dir}' is invalid, it needs to be an absolute path"
        )));
    }
    let hostname = match spec.network.mode {
        _ if !spec.hostname.is_empty() => spec.hostname.clone(),
        NetworkMode::Host => host.hostname.clone(),
        _ => id.short().to_owned(),
    };
    let mut labels = image.labels();
    labels.extend(spec.labels.clone());
    let mut exposed = spec.network.exposed_ports.clone();
    exposed.extend(defaults.exposed_ports.iter().flatten().map(|(port, _)| port.clone()));
    exposed.sort();
    exposed.dedup();
    let declared = points::declared(spec, image);
    let effective = Effective {
        entrypoint,
        cmd,
        env: environment(&spec.process.env, image.env()),
        working_dir,
        user: first(&spec.process.user, &defaults.user),
        hostname,
        labels,
        stop_signal: first(spec.stop_signal.as_deref().unwrap_or(""), &defaults.stop_signal),
        stop_timeout: spec.stop_timeout.or(defaults.stop_timeout),
        exposed_ports: exposed,
        volumes: declared.iter().map(|path| (*path).to_owned()).collect(),
        mounts: points::resolve(spec, &declared, &[])?,
        on_build: defaults.on_build.clone(),
        health: HealthCheck::merged(spec.health.check.as_ref(), defaults.healthcheck.as_ref().map(HealthCheck::from)),
        shell: defaults.shell.clone(),
    };
    if effective.argv().is_empty() {
        return Err(Error::Invalid("No command specified".into()));
    }
    Ok(effective)
}

type Words = Option<Vec<String>>;

/// The image's command holds only with the image's entrypoint; an entrypoint of `""` clears both.
fn command(spec: &ContainerSpec, entrypoint: Option<&Vec<String>>, cmd: Option<&Vec<String>>) -> (Words, Words) {
    let filled = |words: Option<&Vec<String>>| words.filter(|w| !w.is_empty()).cloned();
    let asked_cmd = filled(spec.process.cmd.as_ref());
    match &spec.process.entrypoint {
        Some(asked) if asked.is_empty() || asked == &[""] => (None, asked_cmd),
        Some(asked) => (Some(asked.clone()), asked_cmd),
        None => (filled(entrypoint), asked_cmd.or_else(|| filled(cmd))),
    }
}

/// What was asked for first, then what the image sets and the request does not name.
fn environment(asked: &[String], image: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split_once('=').map_or(entry.to_owned(), |(name, _)| name.to_owned());
    let mut merged = asked.to_vec();
    for entry in image {
        if !asked.iter().any(|a| name(a) == name(entry)) {
            merged.push(entry.clone());
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;
    use crate::spec::ProcessSpec;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn image(entrypoint: Option<&str>, cmd: Option<&str>) -> ImageConfig {
        let mut config = ImageConfig::default();
        config.config.entrypoint = entrypoint.map(words);
        config.config.cmd = cmd.map(words);
        config
    }

    /// Image's entrypoint and command, the request's, what runs (A106, A107).
    #[test]
    fn commands() {
        type Row =
            (Option<&'static str>, Option<&'static str>, Option<&'static str>, Option<&'static str>, &'static str);
        let table: [Row; 9] = [
            (None, Some("sh"), None, None, "sh"),
            (None, Some("sh"), None, Some("echo x"), "echo x"),
            (Some("ep"), Some("d1 d2"), None, None, "ep d1 d2"),
            (Some("ep"), Some("d1 d2"), None, Some("o1"), "ep o1"),
            (Some("ep"), Some("d1 d2"), Some("ls"), None, "ls"),
            (Some("ep"), Some("d1 d2"), Some("ls"), Some("-d /bin"), "ls -d /bin"),
            (Some("ep"), Some("d1 d2"), Some(""), Some("echo x"), "echo x"),
            (Some("ep"), Some("d1"), Some(""), None, "No command specified"),
            (None, None, None, None, "No command specified"),
        ];
        for (image_entrypoint, image_cmd, entrypoint, cmd, expected) in table {
            let process = ProcessSpec {
                entrypoint: entrypoint.map(|e| if e.is_empty() { vec![String::new()] } else { words(e) }),
                cmd: cmd.map(words),
                ..ProcessSpec::default()
            };
            let spec = ContainerSpec { process, ..ContainerSpec::default() };
            let image = image(image_entrypoint, image_cmd);
            let got = merge(&ContainerId::random(), &spec, &image, &HostFacts::default());
            assert_eq!(got.map_or_else(|e| e.to_string(), |e| e.argv().join(" ")), expected);
        }
    }

    #[test]
    fn environment_labels_and_the_rest() {
        let mut image = image(None, Some("sh"));
        image.config.env = Some(words("PATH=/x A=image B=image"));
        image.config.labels = Some([("a".into(), "image".into()), ("b".into(), "image".into())].into());
        image.config.user = "web".into();
        image.config.working_dir = "/srv".into();
        let mut spec = ContainerSpec::default();
        spec.process.env = words("A=1 B");
        spec.labels = [("a".into(), "mine".into())].into();
        let id = ContainerId::random();
        let got = merge(&id, &spec, &image, &HostFacts::default()).unwrap();
        assert_eq!(got.env, ["A=1", "B", "PATH=/x"]);
        assert_eq!((got.labels["a"].as_str(), got.labels["b"].as_str()), ("mine", "image"));
        assert_eq!((got.user.as_str(), got.working_dir.as_str()), ("web", "/srv"));
        assert_eq!(got.hostname, id.short());
        spec.process.working_dir = "rel".into();
        assert!(merge(&id, &spec, &image, &HostFacts::default()).is_err());
    }
}
