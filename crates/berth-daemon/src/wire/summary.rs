//! Containers in a list: which a client wants, and one line each.

use berth_api::Filters;
use berth_api::inspect::MountPoint;
use berth_api::summary::{ContainerSummary, Port, SummaryHostConfig, SummaryNetworks};
use berth_engine::{ContainerView, State};
use jiff::Timestamp;
use regex_lite::Regex;

use super::{echo, inspect, time};
use crate::http::error::ApiError;

/// Filters of the list.
const KEYS: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "health",
    "id",
    "isolation",
    "is-task",
    "label",
    "name",
    "network",
    "publish",
    "expose",
    "since",
    "status",
    "volume",
];

const HEALTHS: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];

const STATUSES: [&str; 7] = ["created", "restarting", "running", "removing", "paused", "exited", "dead"];

/// Parsed filters, with what they need looked up.
#[derive(Debug)]
pub(crate) struct Wanted {
    filters: Filters,
    names: Vec<Regex>,
    ids: Vec<Regex>,
    exposed: Vec<PortRange>,
    published: Vec<PortRange>,
    exited: Vec<i32>,
    /// Ids of images named by `ancestor`.
    pub(crate) ancestors: Vec<String>,
    /// Created before this container.
    pub(crate) before: Option<Timestamp>,
    /// Created after this container.
    pub(crate) since: Option<Timestamp>,
}

impl Wanted {
    /// Checks the keys and values.
    pub(crate) fn parse(filters: Filters) -> Result<Self, ApiError> {
        if let Some(key) = filters.keys().find(|key| !KEYS.contains(key)) {
            return Err(ApiError::invalid(format!("invalid filter '{key}'")));
        }
        if let Some(status) = filters.get("status").find(|status| !STATUSES.contains(status)) {
            return Err(ApiError::invalid(format!("invalid filter 'status={status}'")));
        }
        let exited = filters
            .get("exited")
            .map(|code| code.parse().map_err(|_| ApiError::invalid(format!("invalid filter 'exited={code}'"))));
        if let Some(health) = filters.get("health").find(|health| !HEALTHS.contains(health)) {
            return Err(ApiError::invalid(format!("invalid filter 'health={health}'")));
        }
        if let Some(value) = filters.get("is-task").find(|value| !matches!(*value, "0" | "1" | "true" | "false")) {
            return Err(ApiError::invalid(format!("invalid filter 'is-task={value}'")));
        }
        Ok(Self {
            names: patterns(&filters, "name")?,
            ids: patterns(&filters, "id")?,
            exposed: filters.get("expose").map(|text| PortRange::parse("expose", text)).collect::<Result<_, _>>()?,
            published: filters
                .get("publish")
                .map(|text| PortRange::parse("publish", text))
                .collect::<Result<_, _>>()?,
            exited: exited.collect::<Result<_, _>>()?,
            ancestors: Vec::new(),
            before: None,
            since: None,
            filters,
        })
    }

    pub(crate) fn filters(&self) -> &Filters {
        &self.filters
    }

    /// Containers that do not run are wanted too.
    pub(crate) fn beyond_running(&self) -> bool {
        self.filters.contains("status") || self.filters.contains("exited")
    }

    /// A container passes every filter.
    pub(crate) fn allows(&self, view: &ContainerView) -> bool {
        let f = &self.filters;
        let network = echo::network_name(&view.spec.network.mode);
        (self.ids.is_empty() || self.ids.iter().any(|id| id.is_match(view.id.as_str())))
            && (self.names.is_empty() || self.names.iter().any(|name| matches_name(name, &view.name)))
            && f.allows_labels("label", &view.effective.labels)
            && f.allows("status", |status| status == view.state.status())
            && (self.exited.is_empty() || self.exited_with(view))
            && (!f.contains("ancestor") || self.ancestors.contains(&view.image_id.to_string()))
            && self.before.is_none_or(|before| view.created < before)
            && self.since.is_none_or(|since| view.created > since)
            && f.allows("network", |name| *name == *network || super::network::id(&network).starts_with(name))
            && f.allows("volume", |place| mounts_at(view, place))
            && (self.exposed.is_empty() || exposes(view, &self.exposed))
            && f.allows("health", |health| health == super::health::word(view.health.as_deref()))
            && f.allows("is-task", |value| matches!(value, "false" | "0"))
            // Nothing is published yet.
            && self.published.is_empty()
    }

    fn exited_with(&self, view: &ContainerView) -> bool {
        view.state.exit().is_some_and(|exit| self.exited.contains(&exit.code)) && !view.state.counts_as_running()
    }
}

/// Docker matches against the name with and without its slash.
fn matches_name(pattern: &Regex, name: &str) -> bool {
    pattern.is_match(name) || pattern.is_match(&format!("/{name}"))
}

fn mounts_at(view: &ContainerView, place: &str) -> bool {
    let named = |mount: &MountPoint| if mount.name.is_empty() { mount.source == place } else { mount.name == place };
    inspect::mounts(view).iter().any(|mount| mount.destination == place || named(mount))
}

fn exposes(view: &ContainerView, ranges: &[PortRange]) -> bool {
    view.effective.exposed_ports.iter().any(|port| ranges.iter().any(|range| range.holds(port)))
}

fn patterns(filters: &Filters, key: &str) -> Result<Vec<Regex>, ApiError> {
    let pattern = |text: &str| {
        Regex::new(text).map_err(|error| ApiError::invalid(format!("invalid filter '{key}={text}': {error}")))
    };
    filters.get(key).map(pattern).collect()
}

/// `80`, `80/udp`, `8000-8080/tcp`: what the filters `expose` and `publish` are given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PortRange {
    first: u16,
    last: u16,
    protocol: String,
}

impl PortRange {
    fn parse(key: &str, text: &str) -> Result<Self, ApiError> {
        if text.contains(':') {
            return Err(ApiError::invalid(format!("filter for '{key}' should not contain ':': {text}")));
        }
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let wrong = || ApiError::invalid(format!("error while looking up for {key} {text}: invalid port"));
        let (first, last): (u16, u16) = first.parse().ok().zip(last.parse().ok()).ok_or_else(wrong)?;
        if first > last {
            return Err(wrong());
        }
        Ok(Self { first, last, protocol: protocol.to_ascii_lowercase() })
    }

    /// `port`: `80/tcp`.
    fn holds(&self, port: &str) -> bool {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        protocol == self.protocol
            && number.parse::<u16>().is_ok_and(|number| (self.first..=self.last).contains(&number))
    }
}

/// One line. `image` is the name to show: what the user wrote, or the id where that name has moved on.
pub(crate) fn container(view: &ContainerView, image: String, now: Timestamp) -> ContainerSummary {
    let name = echo::network_name(&view.spec.network.mode).into_owned();
    ContainerSummary {
        id: view.id.to_string(),
        names: vec![format!("/{}", view.name)],
        image,
        image_id: view.image_id.as_str().to_owned(),
        command: command(view.effective.words()),
        created: view.created.as_second(),
        ports: ports(view),
        labels: view.effective.labels.clone(),
        state: view.state.status().to_owned(),
        status: status(view, now),
        host_config: SummaryHostConfig { network_mode: name, annotations: view.spec.annotations.clone() },
        network_settings: SummaryNetworks { networks: Some(inspect::networks(view)) },
        mounts: inspect::mounts(view),
        ..ContainerSummary::default()
    }
}

/// Words with spaces in quotes, as Docker writes it (which no shell would read back).
fn command<'a>(words: impl Iterator<Item = &'a String>) -> String {
    let mut line = String::new();
    for (index, word) in words.enumerate() {
        let quote = if index > 0 && word.contains(' ') { "'" } else { "" };
        let space = if index > 0 { " " } else { "" };
        line.extend([space, quote, word, quote]);
    }
    line
}

fn ports(view: &ContainerView) -> Vec<Port> {
    if !view.state.is_alive() {
        return Vec::new();
    }
    let port = |text: &String| {
        let (number, kind) = text.split_once('/').unwrap_or((text, "tcp"));
        Some(Port { private_port: number.parse().ok()?, kind: kind.to_owned(), ..Port::default() })
    };
    view.effective.exposed_ports.iter().filter_map(port).collect()
}

/// For people.
fn status(view: &ContainerView, now: Timestamp) -> String {
    let up = |since: Timestamp| format!("Up {}", time::since(since, now));
    match &view.state {
        State::Running { since, .. } => up(*since) + super::health::beside_status(view.health.as_deref()),
        State::Paused { since, .. } => format!("{} (Paused)", up(*since)),
        State::Exited(exit) => format!("Exited ({}) {} ago", exit.code, time::since(exit.finished_at, now)),
        state if state.is_restarting() => state.exit().map_or_else(String::new, |exit| {
            format!("Restarting ({}) {} ago", exit.code, time::since(exit.finished_at, now))
        }),
        State::Dead { .. } => "Dead".to_owned(),
        State::Removing(_) => "Removal In Progress".to_owned(),
        State::Created { .. } | State::Starting { .. } | State::Restarting { .. } => "Created".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_filters() {
        let holds = |range: &str, port: &str| PortRange::parse("expose", range).is_ok_and(|range| range.holds(port));
        assert!(holds("80", "80/tcp") && holds("53/udp", "53/udp") && holds("8000-8080", "8080/tcp"));
        assert!(!holds("80", "80/udp") && !holds("8000-8080/udp", "8080/tcp") && !holds("81-80", "80/tcp"));
        for bad in ["", "x", "80:80", "80-", "99999", "80-81-82"] {
            assert!(PortRange::parse("publish", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn commands_are_quoted_like_docker_s() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(command(words(&["sh", "-c", "echo 'x' y"]).iter()), "sh -c 'echo 'x' y'");
        assert_eq!(command(words(&["sh"]).iter()), "sh");
    }
}
