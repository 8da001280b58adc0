//! `--network`: a name, or `name=…,alias=…,ip=…`; and small checks of addresses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use berth_api::network::{EndpointIpam, EndpointSettings};

/// One network a container joins.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Attachment {
    pub(crate) name: String,
    pub(crate) endpoint: EndpointSettings,
}

/// Reads one `--network`.
pub(crate) fn parse(text: &str) -> Result<Attachment, String> {
    let mut attachment = Attachment::default();
    if !text.contains('=') {
        attachment.name = text.to_owned();
        return Ok(attachment);
    }
    let mut ipam = EndpointIpam::default();
    let endpoint = &mut attachment.endpoint;
    for field in super::csv(text)? {
        let (key, value) = field.split_once('=').ok_or_else(|| format!("invalid network config format: {field}"))?;
        let value = value.trim().to_owned();
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => attachment.name = value,
            "alias" => endpoint.aliases.get_or_insert_default().push(value),
            "ip" => ipam.ipv4_address = value,
            "ip6" => ipam.ipv6_address = value,
            "mac-address" => endpoint.mac_address = value,
            "link-local-ip" => ipam.link_local_ips.push(value),
            "driver-opt" => {
                let (name, value) = value.split_once('=').ok_or("invalid key value pair format in driver options")?;
                endpoint.driver_opts.get_or_insert_with(BTreeMap::new).insert(name.to_owned(), value.to_owned());
            }
            "gw-priority" => {
                let priority: i64 = value.parse().map_err(|_| format!("invalid gw-priority ({value})"))?;
                endpoint.gw_priority = priority.into();
            }
            key => return Err(format!("invalid field key {key}")),
        }
    }
    if attachment.name.is_empty() {
        return Err("network name/id is not specified".to_owned());
    }
    if ipam != EndpointIpam::default() {
        attachment.endpoint.ipam_config = Some(ipam);
    }
    Ok(attachment)
}

/// `--dns`.
pub(crate) fn check_dns(text: &str) -> Result<(), String> {
    text.parse::<IpAddr>().map(drop).map_err(|_| format!("IP address is not correctly formatted: {text}"))
}

/// `--ip`.
pub(crate) fn check_ipv4(text: &str) -> Result<(), String> {
    text.parse::<Ipv4Addr>().map(drop).map_err(|_| format!("invalid IPv4 address: {text}"))
}

/// `--ip6`.
pub(crate) fn check_ipv6(text: &str) -> Result<(), String> {
    text.parse::<Ipv6Addr>().map(drop).map_err(|_| format!("invalid IPv6 address: {text}"))
}

/// `--add-host name:address` or `name=address`; the result has the colon.
pub(crate) fn extra_host(text: &str) -> Result<String, String> {
    let bad = || format!("bad format for add-host: {text:?}");
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(bad)?;
    if name.is_empty() {
        return Err(bad());
    }
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    if address != "host-gateway" && address.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address in add-host: {address:?}"));
    }
    Ok(format!("{name}:{address}"))
}

/// Six pairs of hex digits.
pub(crate) fn is_mac(text: &str) -> bool {
    let separator = if text.contains('-') { '-' } else { ':' };
    let parts: Vec<&str> = text.split(separator).collect();
    parts.len() == 6 && parts.iter().all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))
}
