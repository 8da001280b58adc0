//! `-p [[ip:][host]:]container[/protocol]` and `--expose`, with ranges.

use std::net::IpAddr;

use berth_api::host_config::{PortBinding, PortMap};

/// Adds what one `-p` publishes.
pub(crate) fn publish(text: &str, ports: &mut PortMap) -> Result<(), String> {
    let (address, protocol) = match text.rsplit_once('/') {
        Some((address, protocol)) => (address, protocol.to_ascii_lowercase()),
        None => (text, "tcp".to_owned()),
    };
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("invalid proto: {protocol}"));
    }
    let (ip, host, container) = split(address);
    if container.is_empty() {
        return Err(format!("no port specified: {text}<empty>"));
    }
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address: {ip}"));
    }
    let (from, to) = range(container).ok_or_else(|| format!("invalid containerPort: {container}"))?;
    let hosts = match host {
        "" => None,
        host => Some(range(host).ok_or_else(|| format!("invalid hostPort: {host}"))?),
    };
    if let Some((first, last)) = hosts
        && to - from != last - first
        && from != to
    {
        return Err(format!("invalid ranges specified for container and host Ports: {container} and {host}"));
    }
    for port in from..=to {
        let host_port = match hosts {
            None => String::new(),
            Some((first, last)) if from == to && first != last => format!("{first}-{last}"),
            Some((first, _)) => (first + port - from).to_string(),
        };
        let binding = PortBinding { host_ip: bare.to_owned(), host_port };
        ports.entry(format!("{port}/{protocol}")).or_default().get_or_insert_default().push(binding);
    }
    Ok(())
}

fn split(address: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = address.rsplit_once(':') else { return ("", "", address) };
    match rest.rsplit_once(':') {
        Some((ip, host)) if !host.contains(']') => (ip, host, container),
        _ => ("", rest, container),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let number = |s: &str| s.parse::<u16>().ok().filter(|_| s.bytes().all(|b| b.is_ascii_digit()));
    let (from, to) = (number(from)?, number(to)?);
    (from <= to).then_some((from, to))
}

/// The ports one `--expose` names, as `80/tcp`.
pub(crate) fn expose(text: &str) -> Result<Vec<String>, String> {
    if text.contains(':') {
        return Err(format!("invalid port format for --expose: {text}"));
    }
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (from, to) = range(ports).ok_or_else(|| {
        format!(
            "invalid range format for --expose: {text}, error: strconv.ParseUint: parsing {ports:?}: invalid syntax"
        )
    })?;
    Ok((from..=to).map(|port| format!("{port}/{}", protocol.to_ascii_lowercase())).collect())
}
