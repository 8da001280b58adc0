//! Which networks a container joins, and as what.

use std::collections::BTreeMap;

use berth_api::ContainerConfig;
use berth_api::network::{EndpointIpam, EndpointSettings, NetworkingConfig};

use crate::flag::Parsed;
use crate::grammar::network::{Attachment, check_ipv4, check_ipv6, parse};

/// The networks given, in order.
pub(super) fn given(parsed: &Parsed) -> Result<Vec<Attachment>, String> {
    parsed.all("network").chain(parsed.all("net")).map(parse).collect()
}

/// The endpoints to send; none where the first network is joined with nothing particular.
pub(super) fn read(parsed: &Parsed, config: &ContainerConfig) -> Result<Option<NetworkingConfig>, String> {
    let mut networks = given(parsed)?;
    let extra = from_flags(parsed, config)?;
    if extra != EndpointSettings::default() {
        if networks.is_empty() {
            networks.push(Attachment { name: "default".to_owned(), ..Attachment::default() });
        }
        merge(&mut networks[0].endpoint, extra);
    }
    let plain = networks.len() <= 1 && networks.iter().all(|n| n.endpoint == EndpointSettings::default());
    if plain {
        return Ok(None);
    }
    let mut endpoints = BTreeMap::new();
    for network in networks {
        if endpoints.insert(network.name.clone(), Some(network.endpoint)).is_some() {
            return Err(format!("network {:?} is specified multiple times", network.name));
        }
    }
    Ok(Some(NetworkingConfig { endpoints_config: Some(endpoints) }))
}

/// The older flags that belong to the first network.
fn from_flags(parsed: &Parsed, config: &ContainerConfig) -> Result<EndpointSettings, String> {
    let ipam = EndpointIpam {
        ipv4_address: parsed.text("ip"),
        ipv6_address: parsed.text("ip6"),
        link_local_ips: parsed.strings("link-local-ip"),
    };
    if !ipam.ipv4_address.is_empty() {
        check_ipv4(&ipam.ipv4_address)?;
    }
    if !ipam.ipv6_address.is_empty() {
        check_ipv6(&ipam.ipv6_address)?;
    }
    let aliases: Vec<String> = parsed.all("network-alias").chain(parsed.all("net-alias")).map(str::to_owned).collect();
    Ok(EndpointSettings {
        ipam_config: Some(ipam).filter(|i| *i != EndpointIpam::default()),
        aliases: Some(aliases).filter(|a| !a.is_empty()),
        mac_address: config.mac_address.clone(),
        ..EndpointSettings::default()
    })
}

fn merge(endpoint: &mut EndpointSettings, extra: EndpointSettings) {
    endpoint.ipam_config = endpoint.ipam_config.take().or(extra.ipam_config);
    endpoint.aliases = endpoint.aliases.take().or(extra.aliases);
    if endpoint.mac_address.is_empty() {
        endpoint.mac_address = extra.mac_address;
    }
}
