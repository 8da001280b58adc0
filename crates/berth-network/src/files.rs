//! The texts of a container's `/etc/hosts` and `/etc/hostname`, as Docker makes them. Pure.

use std::net::{IpAddr, Ipv4Addr};

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
        let _ = gateway;
        Err(ExtraHostError::Format(text.to_owned()))
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
    let _ = (extra, address, hostname, domainname);
    String::new()
}

/// `/etc/hosts` in the host's network namespace: the host's own text, unless there are extra names.
#[must_use]
pub fn hosts_of_host(host: Option<&str>, extra: &[ExtraHost]) -> String {
    let _ = (host, extra);
    String::new()
}

/// `/etc/hostname`.
#[must_use]
pub fn hostname(hostname: &str) -> String {
    format!("{hostname}\n")
}
