//! From a container back to the command line that makes it again: the inverse of `create`.
//!
//! [`words`] takes what `inspect` says of a container and of its image, and leaves out what the image says already or
//! Docker's defaults add. `config` spells the portable half, `host` the half that depends on the host, `mounts` its
//! mounts, `quote` makes one line for a shell of the words. What no flag can say is told apart ([`Line::unsaid`]).

mod config;
mod host;
mod mounts;
mod quote;

use berth_api::{ContainerConfig, ContainerInspect};

pub(crate) use quote::line;

/// A command line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// `run`, flags, image, command.
    pub(crate) words: Vec<String>,
    /// What no flag can say, one sentence each.
    pub(crate) unsaid: Vec<String>,
}

impl Line {
    fn flag(&mut self, flag: &str) {
        self.words.push(flag.to_owned());
    }

    /// `--flag value`, unless the value is empty.
    fn pair(&mut self, flag: &str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            // A value that begins with a dash would be taken for a flag by people, though not by us.
            match value.as_ref().starts_with('-') {
                true => self.words.push(format!("{flag}={}", value.as_ref())),
                false => self.words.extend([flag.to_owned(), value.as_ref().to_owned()]),
            }
        }
    }

    /// `--flag n`, unless it is nought.
    fn number(&mut self, flag: &str, value: i64) {
        if value != 0 {
            self.pair(flag, value.to_string());
        }
    }

    fn each<T: AsRef<str>>(&mut self, flag: &str, values: impl IntoIterator<Item = T>) {
        values.into_iter().for_each(|value| self.pair(flag, value));
    }
}

/// The words of `run` that make this container again; `image` is what its image says by itself.
pub(crate) fn words(container: &ContainerInspect, image: &ContainerConfig) -> Line {
    let mut line = Line { words: vec!["run".to_owned()], unsaid: Vec::new() };
    let nothing = (ContainerConfig::default(), berth_api::HostConfig::default());
    let of = container.config.as_deref().unwrap_or(&nothing.0);
    let on = container.host_config.as_deref().unwrap_or(&nothing.1);
    line.pair("--name", container.name.trim_start_matches('/'));
    let short: String = container.id.chars().take(12).collect();
    config::spell(&mut line, of, on, image, &short);
    host::spell(&mut line, on, of);
    mounts::spell(&mut line, of, on, image);
    networks(&mut line, container);
    let (entrypoint, command) = config::command(of, image);
    if let Some(program) = &entrypoint {
        // An empty entrypoint is a value too: it clears the image's.
        line.words.push(format!("--entrypoint={program}"));
    }
    line.words.push(of.image.clone());
    line.words.extend(command);
    line
}

/// What was asked of endpoints.
fn networks(line: &mut Line, container: &ContainerInspect) {
    for endpoint in container.network_settings.networks.iter().flat_map(|networks| networks.values()) {
        if let Some(ipam) = &endpoint.ipam_config {
            line.pair("--ip", &ipam.ipv4_address);
            line.pair("--ip6", &ipam.ipv6_address);
            line.each("--link-local-ip", &ipam.link_local_ips);
        }
        line.each("--network-alias", endpoint.aliases.iter().flatten());
    }
}

#[cfg(test)]
mod tests;
