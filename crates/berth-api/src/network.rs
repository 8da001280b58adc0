//! Networks as a container sees them (endpoints), and the network object.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Empty, Newer, is_default};

/// `NetworkingConfig` of create.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkingConfig {
    /// Settings by network name or id.
    pub endpoints_config: Option<BTreeMap<String, Option<EndpointSettings>>>,
}

/// A container's place in one network: what was asked for and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EndpointSettings {
    /// Addresses asked for.
    #[serde(rename = "IPAMConfig")]
    pub ipam_config: Option<EndpointIpam>,
    /// Links.
    pub links: Option<Vec<String>>,
    /// Other names.
    pub aliases: Option<Vec<String>>,
    /// MAC address.
    pub mac_address: String,
    /// Options for the driver.
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// Which endpoint gives the default route (1.44 and later).
    #[serde(skip_serializing_if = "Newer::is_untold")]
    pub gw_priority: Newer<i64>,
    /// The network's id.
    #[serde(rename = "NetworkID")]
    pub network_id: String,
    /// The endpoint's id.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// IPv4 gateway.
    pub gateway: String,
    /// IPv4 address.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// Its prefix.
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: i64,
    /// IPv6 gateway.
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    /// IPv6 address.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    /// Its prefix.
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: i64,
    /// Every name it answers to (1.44 and later).
    #[serde(rename = "DNSNames", skip_serializing_if = "Newer::is_untold")]
    pub dns_names: Newer<Option<Vec<String>>>,
}

/// Addresses asked for in a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EndpointIpam {
    /// IPv4.
    #[serde(rename = "IPv4Address", skip_serializing_if = "is_default")]
    pub ipv4_address: String,
    /// IPv6.
    #[serde(rename = "IPv6Address", skip_serializing_if = "is_default")]
    pub ipv6_address: String,
    /// Link-local.
    #[serde(rename = "LinkLocalIPs", skip_serializing_if = "Vec::is_empty")]
    pub link_local_ips: Vec<String>,
}

/// A network, as list and inspect show it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Network {
    /// Name.
    pub name: String,
    /// Id.
    pub id: String,
    /// RFC 3339.
    pub created: String,
    /// `local` or `swarm`.
    pub scope: String,
    /// `bridge`, `host`, `null`, ….
    pub driver: String,
    /// IPv4 is on.
    #[serde(rename = "EnableIPv4")]
    pub enable_ipv4: bool,
    /// IPv6 is on.
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    /// Address management.
    #[serde(rename = "IPAM")]
    pub ipam: Ipam,
    /// No way out.
    pub internal: bool,
    /// Swarm only.
    pub attachable: bool,
    /// Swarm only.
    pub ingress: bool,
    /// Swarm only.
    pub config_from: ConfigReference,
    /// Swarm only.
    pub config_only: bool,
    /// Who is in it, by container id; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub containers: Option<BTreeMap<String, EndpointResource>>,
    /// Driver options.
    pub options: Option<BTreeMap<String, String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Name of a network whose configuration is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfigReference {
    /// Name.
    pub network: String,
}

/// Address management of a network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ipam {
    /// `default`.
    pub driver: String,
    /// Options.
    pub options: Option<BTreeMap<String, String>>,
    /// Ranges.
    pub config: Option<Vec<IpamConfig>>,
}

/// One address range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IpamConfig {
    /// Subnet.
    #[serde(skip_serializing_if = "is_default")]
    pub subnet: String,
    /// Range within it.
    #[serde(rename = "IPRange", skip_serializing_if = "is_default")]
    pub ip_range: String,
    /// Gateway.
    #[serde(skip_serializing_if = "is_default")]
    pub gateway: String,
    /// Reserved.
    #[serde(rename = "AuxiliaryAddresses", skip_serializing_if = "BTreeMap::is_empty")]
    pub auxiliary_addresses: BTreeMap<String, String>,
}

/// A container within a network's inspect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EndpointResource {
    /// Container's name.
    pub name: String,
    /// Endpoint's id.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// MAC address.
    pub mac_address: String,
    /// With prefix.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// With prefix.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
}

/// Ports that something listens on, without a value.
pub type PortSet = BTreeMap<String, Empty>;
