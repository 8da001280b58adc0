//! Networks as the API shows them: the three that always exist.

use std::collections::BTreeMap;

use berth_api::network::{EndpointResource, Ipam, IpamConfig, Network};
use berth_engine::ContainerView;
use berth_engine::spec::NetworkMode;
use berth_network::Bridge;
use berth_oci::Digest;

use super::echo;

/// A stable id of a predefined network.
pub(crate) fn id(name: &str) -> String {
    berth_engine::network_id(name)
}

/// A stable id of a container's place in a network.
pub(crate) fn endpoint_id(network: &str, container: &str) -> String {
    hex(&format!("endpoint {network} {container}"))
}

fn hex(text: &str) -> String {
    let digest = Digest::of(text.as_bytes()).to_string();
    digest.rsplit(':').next().unwrap_or_default().to_owned()
}

/// The predefined networks, with the containers that run in them.
pub(crate) fn all(
    bridge: Option<&Bridge>,
    created: &str,
    containers: &[std::sync::Arc<ContainerView>],
) -> Vec<Network> {
    let mut networks = Vec::new();
    if let Some(bridge) = bridge {
        networks.push(bridged(bridge));
    }
    networks.push(plain("host", "host"));
    networks.push(plain("none", "null"));
    for network in &mut networks {
        created.clone_into(&mut network.created);
        let inside = containers
            .iter()
            .filter(|view| view.state.is_alive() && echo::network_name(&view.spec.network.mode) == network.name);
        network.containers = Some(inside.map(|view| (view.id.to_string(), resource(view, &network.name))).collect());
    }
    networks
}

fn plain(name: &str, driver: &str) -> Network {
    Network {
        name: name.to_owned(),
        id: id(name),
        scope: "local".to_owned(),
        driver: driver.to_owned(),
        enable_ipv4: true,
        ipam: Ipam { driver: "default".to_owned(), options: None, config: None },
        options: Some(BTreeMap::new()),
        labels: Some(BTreeMap::new()),
        ..Network::default()
    }
}

fn bridged(bridge: &Bridge) -> Network {
    let subnet = format!("{}/{}", bridge.subnet.network(), bridge.subnet.prefix_len());
    let range = IpamConfig { subnet, gateway: bridge.gateway.to_string(), ..IpamConfig::default() };
    let option = |name: &str, value: &str| (format!("com.docker.network.{name}"), value.to_owned());
    Network {
        ipam: Ipam { driver: "default".to_owned(), options: None, config: Some(vec![range]) },
        options: Some(BTreeMap::from([
            option("bridge.default_bridge", "true"),
            option("bridge.enable_icc", "true"),
            option("bridge.enable_ip_masquerade", if bridge.masquerade { "true" } else { "false" }),
            option("bridge.host_binding_ipv4", "0.0.0.0"),
            option("bridge.name", &bridge.name),
            option("driver.mtu", &bridge.mtu.to_string()),
        ])),
        ..plain("bridge", "bridge")
    }
}

fn resource(view: &ContainerView, network: &str) -> EndpointResource {
    let endpoint = view.endpoint.as_ref().filter(|_| view.spec.network.mode == NetworkMode::Bridge);
    EndpointResource {
        name: view.name.clone(),
        endpoint_id: endpoint_id(network, view.id.as_str()),
        mac_address: endpoint.map(|endpoint| endpoint.mac.to_string()).unwrap_or_default(),
        ipv4_address: endpoint
            .map(|endpoint| format!("{}/{}", endpoint.address, endpoint.prefix_len))
            .unwrap_or_default(),
        ipv6_address: String::new(),
    }
}
