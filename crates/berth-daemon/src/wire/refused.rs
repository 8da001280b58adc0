//! What a create request may ask for that berth does not do yet, as a table.
//!
//! Each row names a field of the API and the flag of the command line that sets it. A request that sets one is refused
//! with 501 and a sentence naming it; nothing known is dropped silently. `docs/not-yet.md` is written from this table.

use berth_api::host_config::HostConfig;
use berth_api::network::EndpointSettings;
use berth_api::{ContainerConfig, CreateRequest};

use super::check::some;
use crate::http::error::ApiError;

/// One thing that is refused.
pub(crate) struct Refused {
    /// The API's field.
    pub(crate) field: &'static str,
    /// How the command line spells it; empty: it cannot.
    pub(crate) flag: &'static str,
    /// Completes "berth does not … yet".
    pub(crate) what: &'static str,
    /// The request asks for it.
    asked: Asked,
}

enum Asked {
    Config(fn(&ContainerConfig) -> bool),
    Host(fn(&HostConfig) -> bool),
    Endpoint(fn(&str, &EndpointSettings) -> bool),
}

macro_rules! refused {
    ($($field:literal, $flag:literal, $what:literal, $kind:ident($test:expr);)*) => {
        &[$(Refused { field: $field, flag: $flag, what: $what, asked: Asked::$kind($test) }),*]
    };
}

fn is_container(network: &str) -> bool {
    network.starts_with("container:")
}

/// Every option of create that is refused.
pub(crate) const REFUSED: &[Refused] = refused! {
    "OnBuild", "", "keep build triggers of a container", Config(|c| some(c.on_build.as_ref()));
    "Shell", "", "keep a container's shell", Config(|c| some(c.shell.as_ref()));
    "HostConfig.PortBindings", "-p", "publish ports", Host(|h| h.port_bindings.as_ref().is_some_and(|p| !p.is_empty()));
    "HostConfig.PublishAllPorts", "-P", "publish ports", Host(|h| h.publish_all_ports);
    "HostConfig.NetworkMode: NAME", "--network NAME", "have networks besides bridge, host and none",
        Host(|h| !matches!(h.network_mode.as_str(), "" | "default" | "bridge" | "host" | "none") && !is_container(&h.network_mode));
    "NetworkingConfig.EndpointsConfig: NAME", "--network NAME", "have networks besides bridge, host and none",
        Endpoint(|name, _| !matches!(name, "default" | "bridge" | "host" | "none") && !is_container(name));
    "EndpointsConfig.IPAMConfig", "--ip", "give a container an address of one's choice",
        Endpoint(|_, e| e.ipam_config.as_ref().is_some_and(|ipam| *ipam != Default::default()));
    "EndpointsConfig.Links", "--link", "link containers", Endpoint(|_, e| some(e.links.as_ref()));
    "EndpointsConfig.Aliases", "--network-alias", "give containers names in a network", Endpoint(|_, e| some(e.aliases.as_ref()));
    "EndpointsConfig.DriverOpts", "--network driver-opt=", "pass options to network drivers",
        Endpoint(|_, e| e.driver_opts.as_ref().is_some_and(|options| !options.is_empty()));
    "HostConfig.Links", "--link", "link containers", Host(|h| some(h.links.as_ref()));
    "HostConfig.Cgroup", "", "join the cgroup of another container", Host(|h| !h.cgroup.is_empty());
    "HostConfig.CpuCount, CpuPercent", "--cpu-count", "take limits that only Windows has",
        Host(|h| h.cpu_count != 0 || h.cpu_percent != 0);
    "HostConfig.Mounts: cluster, npipe", "--mount type=cluster", "mount such things",
        Host(|h| h.mounts.iter().any(|m| matches!(m.kind.as_str(), "cluster" | "npipe")));
};

/// Refuses the first thing asked for that is not done yet.
pub(crate) fn check(request: &CreateRequest) -> Result<(), ApiError> {
    let host = request.host_config.as_deref();
    let endpoints = || request.networking_config.iter().filter_map(|n| n.endpoints_config.as_ref()).flatten();
    let asked = REFUSED.iter().find(|refused| match refused.asked {
        Asked::Config(asked) => asked(&request.config),
        Asked::Host(asked) => host.is_some_and(asked),
        Asked::Endpoint(asked) => {
            let nothing = EndpointSettings::default();
            endpoints().any(|(name, settings)| asked(name, settings.as_ref().unwrap_or(&nothing)))
        }
    });
    match asked {
        Some(refused) => Err(ApiError::not_yet(refused.what, &refused.named())),
        None => Ok(()),
    }
}

impl Refused {
    /// The flag where there is one, and the field.
    fn named(&self) -> String {
        match self.flag {
            "" => self.field.to_owned(),
            flag => format!("{flag}, {}", self.field),
        }
    }
}
