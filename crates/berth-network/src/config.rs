//! What the daemon's command line says about the default network.

use crate::Ipv4Net;

/// How the default bridge network is made. The defaults are those of `dockerd`, but for the bridge's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The bridge's interface name (`--bridge`), at most 15 bytes. A bridge that exists already and was not made by
    /// us keeps its address and is never removed.
    pub bridge: String,
    /// The bridge's own address and the network's size (`--bip 10.1.2.1/24`). `None`: the first of Docker's default
    /// pools that collides with nothing the host reaches.
    pub bip: Option<Ipv4Net>,
    /// MTU of the bridge and of what hangs on it (`--mtu`).
    pub mtu: u32,
    /// Turn `net.ipv4.ip_forward` on where it is off (`--ip-forward`). Like Docker, we leave it on.
    pub ip_forward: bool,
    /// Translate what leaves the bridge to the host's own address (`--ip-masq`).
    pub ip_masq: bool,
    /// Touch the firewall at all (`--iptables`).
    pub firewall: bool,
    /// Name resolution of containers that say nothing of their own.
    pub resolver: Resolver,
}

/// What containers' `resolv.conf` says where they do not; what is empty here too comes from the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolver {
    /// `--dns`
    pub servers: Vec<String>,
    /// `--dns-search`
    pub search: Vec<String>,
    /// `--dns-opt`
    pub options: Vec<String>,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            bridge: "berth0".into(),
            bip: None,
            mtu: 1500,
            ip_forward: true,
            ip_masq: true,
            firewall: true,
            resolver: Resolver::default(),
        }
    }
}
