//! What a container is given: a network namespace, and its place on the bridge.

use std::fmt;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use crate::Ipv4Net;

/// A network namespace, held by its descriptor alone: when the last descriptor and process in it are gone, the kernel
/// takes it down with every link inside.
///
/// Ready to be entered: `lo` is up, `net.ipv4.ip_unprivileged_port_start` is 0, `net.ipv4.ping_group_range` is open to
/// every group and IPv6 is off, as in Docker's namespaces; on the bridge, `eth0` is up with its address and default
/// route. The first two need no entry in the runtime specification.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) netns: OwnedFd,
}

impl Sandbox {
    /// The descriptor, to be passed to the shim.
    #[must_use]
    pub fn into_netns(self) -> OwnedFd {
        self.netns
    }
}

impl AsFd for Sandbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netns.as_fd()
    }
}

/// A container's place on the bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: Ipv4Addr,
    /// The network's prefix length.
    pub prefix_len: u8,
    /// Where its default route leads: the bridge's address.
    pub gateway: Ipv4Addr,
    /// Derived from the address, so that an address keeps its MAC whoever holds it.
    pub mac: Mac,
    /// The host's end of the veth pair. Derived from the address.
    pub host_interface: String,
    /// MTU of `eth0`.
    pub mtu: u32,
}

impl Endpoint {
    pub(crate) fn new(bridge: Ipv4Net, mtu: u32, address: Ipv4Addr) -> Self {
        Self {
            address,
            prefix_len: bridge.prefix_len(),
            gateway: bridge.address(),
            mac: Mac::of(address),
            host_interface: host_interface(address),
            mtu,
        }
    }
}

/// The name of the host's end of the pair that carries `address`.
///
/// One name an address: the kernel refuses to make a pair whose address is still carried by a dying one, so an
/// address is never reused before its link is really gone, whatever we forgot in a crash.
pub(crate) fn host_interface(address: Ipv4Addr) -> String {
    format!("veth{:08x}", address.to_bits())
}

/// An Ethernet address; prints as `02:42:ac:11:00:02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Docker's: locally administered, `02:42` and the four bytes of the address.
    #[must_use]
    pub const fn of(address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        Self([0x02, 0x42, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_address() {
        let address = Ipv4Addr::new(172, 17, 0, 2);
        assert_eq!(Mac::of(address).to_string(), "02:42:ac:11:00:02");
        assert_eq!(host_interface(address), "vethac110002");
    }
}
