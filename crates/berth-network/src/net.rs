//! IPv4 networks in CIDR notation: parsing, containment, overlap. Pure.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 address with the length of its network's prefix: `10.1.2.1/24`. The host part is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv4Net {
    address: Ipv4Addr,
    prefix_len: u8,
}

impl Ipv4Net {
    /// `None` where `prefix_len` is more than 32.
    #[must_use]
    pub const fn new(address: Ipv4Addr, prefix_len: u8) -> Option<Self> {
        if prefix_len > 32 { None } else { Some(Self { address, prefix_len }) }
    }

    /// The address as it was given, host part included.
    #[must_use]
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// Bits of the prefix, 0 to 32.
    #[must_use]
    pub const fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// The prefix as a mask.
    #[must_use]
    pub const fn mask(self) -> u32 {
        match self.prefix_len {
            0 => 0,
            bits => u32::MAX << (32 - bits),
        }
    }

    /// The network's first address.
    #[must_use]
    pub const fn network(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask())
    }

    /// The network's last address.
    #[must_use]
    pub const fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// The same network without a host part.
    #[must_use]
    pub const fn subnet(self) -> Self {
        Self { address: self.network(), prefix_len: self.prefix_len }
    }

    /// Whether `address` lies in the network.
    #[must_use]
    pub const fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.network().to_bits()
    }

    /// Whether the two networks share an address.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.contains(other.network()) || other.contains(self.network())
    }
}

impl fmt::Display for Ipv4Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// The text is not `a.b.c.d/length`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv4 network: expected an address and a prefix length, such as 10.1.2.1/24")]
pub struct ParseNetError(String);

impl FromStr for Ipv4Net {
    type Err = ParseNetError;

    fn from_str(text: &str) -> Result<Self, ParseNetError> {
        let parse = || {
            let (address, length) = text.split_once('/')?;
            if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            Self::new(address.parse().ok()?, length.parse().ok()?)
        };
        parse().ok_or_else(|| ParseNetError(text.to_owned()))
    }
}

impl Serialize for Ipv4Net {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ipv4Net {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let net: Ipv4Net = "10.1.2.3/24".parse().unwrap();
        assert_eq!(net.to_string(), "10.1.2.3/24");
        assert_eq!(net.subnet().to_string(), "10.1.2.0/24");
        assert_eq!(net.broadcast(), Ipv4Addr::new(10, 1, 2, 255));
        for bad in ["", "10.1.2.3", "10.1.2.3/", "10.1.2.3/33", "10.1.2/24", "10.1.2.3/+4", "::1/64"] {
            assert!(bad.parse::<Ipv4Net>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_edges_of_prefix_length() {
        let all: Ipv4Net = "1.2.3.4/0".parse().unwrap();
        let one: Ipv4Net = "1.2.3.4/32".parse().unwrap();
        assert!(all.contains(Ipv4Addr::new(255, 0, 0, 1)) && all.overlaps(one) && one.overlaps(all));
        assert!(one.contains(Ipv4Addr::new(1, 2, 3, 4)) && !one.contains(Ipv4Addr::new(1, 2, 3, 5)));
    }
}
