//! The texts of a container's `/etc/hosts` and `/etc/hostname`, as Docker makes them. Pure. Format: hosts(5).

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

/// What every container's `/etc/hosts` begins with.
const LOCALHOST: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::0\tip6-localnet\n\
    ff00::0\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// Stands for the address of the host on the bridge.
const HOST_GATEWAY: &str = "host-gateway";

/// One `--add-host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// The address.
    pub address: IpAddr,
}

impl ExtraHost {
    /// Parses `name:address` or `name=address`; `host-gateway` as the address stands for `gateway`. An IPv6 address
    /// may be bracketed.
    ///
    /// # Errors
    /// Docker's sentence about what is wrong.
    pub fn parse(text: &str, gateway: Option<IpAddr>) -> Result<Self, ExtraHostError> {
        let format = || ExtraHostError::Format(text.to_owned());
        let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(format)?;
        if name.is_empty() || address.is_empty() || name.contains(char::is_whitespace) {
            return Err(format());
        }
        let address = if address == HOST_GATEWAY {
            gateway.ok_or(ExtraHostError::NoGateway)?
        } else {
            let plain = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
            plain.parse().map_err(|_| ExtraHostError::Address(address.to_owned()))?
        };
        Ok(Self { name: name.to_owned(), address })
    }
}

/// A `--add-host` that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtraHostError {
    /// There is no name or no address.
    #[error("bad format for add-host: {0:?}")]
    Format(String),
    /// The address is none.
    #[error("invalid IP address in add-host: {0:?}")]
    Address(String),
    /// `host-gateway` where there is no gateway.
    #[error("unable to derive the IP value for host-gateway")]
    NoGateway,
}

/// `/etc/hosts` of a container in a namespace of its own. `address`: its own on the bridge; `None` without a network.
#[must_use]
pub fn hosts(extra: &[ExtraHost], address: Option<Ipv4Addr>, hostname: &str, domainname: &str) -> String {
    let mut text = LOCALHOST.to_owned();
    add(&mut text, extra);
    if let Some(address) = address {
        let full = match domainname {
            "" => hostname.to_owned(),
            domain => format!("{hostname}.{domain}"),
        };
        // A qualified name is also known by its first label.
        let _ = match full.split_once('.') {
            Some((short, _)) if !short.is_empty() => writeln!(text, "{address}\t{full} {short}"),
            _ => writeln!(text, "{address}\t{full}"),
        };
    }
    text
}

/// `/etc/hosts` in the host's network namespace: the host's own text, unless there are extra names.
#[must_use]
pub fn hosts_of_host(host: Option<&str>, extra: &[ExtraHost]) -> String {
    match host {
        Some(text) if extra.is_empty() => text.to_owned(),
        _ => {
            let mut text = LOCALHOST.to_owned();
            add(&mut text, extra);
            text
        }
    }
}

fn add(text: &mut String, extra: &[ExtraHost]) {
    for ExtraHost { name, address } in extra {
        let _ = writeln!(text, "{address}\t{name}");
    }
}

/// `/etc/hostname`.
#[must_use]
pub fn hostname(hostname: &str) -> String {
    format!("{hostname}\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const GATEWAY: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1)));

    fn parsed(text: &str) -> Result<String, String> {
        ExtraHost::parse(text, GATEWAY).map(|h| format!("{} {}", h.name, h.address)).map_err(|e| e.to_string())
    }

    #[test]
    fn extra_hosts() {
        assert_eq!(parsed("db:10.0.0.5").unwrap(), "db 10.0.0.5");
        assert_eq!(parsed("db=10.0.0.5").unwrap(), "db 10.0.0.5");
        assert_eq!(parsed("db:2001:db8::1").unwrap(), "db 2001:db8::1");
        assert_eq!(parsed("db=[2001:db8::1]").unwrap(), "db 2001:db8::1");
        assert_eq!(parsed("host.docker.internal:host-gateway").unwrap(), "host.docker.internal 172.17.0.1");
        assert_eq!(parsed("db").unwrap_err(), "bad format for add-host: \"db\"");
        assert_eq!(parsed(":10.0.0.5").unwrap_err(), "bad format for add-host: \":10.0.0.5\"");
        assert_eq!(parsed("a\nb:10.0.0.5").unwrap_err(), "bad format for add-host: \"a\\nb:10.0.0.5\"");
        assert_eq!(parsed("db:10.0.0").unwrap_err(), "invalid IP address in add-host: \"10.0.0\"");
        assert_eq!(ExtraHost::parse("h:host-gateway", None), Err(ExtraHostError::NoGateway));
    }

    #[test]
    fn own_address_and_extra_names_follow_localhost() {
        let extra = [ExtraHost::parse("db:10.0.0.5", None).unwrap()];
        let address = Some(Ipv4Addr::new(172, 17, 0, 2));
        let tail = |text: String| text.strip_prefix(LOCALHOST).unwrap().to_owned();
        assert_eq!(tail(hosts(&extra, address, "web", "")), "10.0.0.5\tdb\n172.17.0.2\tweb\n");
        assert_eq!(tail(hosts(&[], address, "web", "lan")), "172.17.0.2\tweb.lan web\n");
        assert_eq!(tail(hosts(&[], address, "web.lan", "")), "172.17.0.2\tweb.lan web\n");
        assert_eq!(tail(hosts(&[], address, "a.b.c", "dom")), "172.17.0.2\ta.b.c.dom a\n");
        assert_eq!(tail(hosts(&[], None, "web", "")), "");
    }

    #[test]
    fn the_hosts_own_file_is_copied() {
        assert_eq!(hosts_of_host(Some("127.0.0.1 me\n"), &[]), "127.0.0.1 me\n");
        let extra = [ExtraHost::parse("db:10.0.0.5", None).unwrap()];
        assert_eq!(hosts_of_host(Some("127.0.0.1 me\n"), &extra), format!("{LOCALHOST}10.0.0.5\tdb\n"));
        assert_eq!(hosts_of_host(None, &[]), LOCALHOST);
    }
}
