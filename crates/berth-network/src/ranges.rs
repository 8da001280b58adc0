//! Which range a bridge gets, and which address a container: pure decisions over what the host already uses.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::Error;
use crate::{Ipv4Net, NetworkConfig, Result};

/// Docker's default pools in its order: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in steps of a /20.
pub(crate) fn default_pools() -> impl Iterator<Item = Ipv4Net> {
    let large = (17..=31).map(|n| (Ipv4Addr::new(172, n, 0, 0), 16));
    let small = (0..=15).map(|n| (Ipv4Addr::new(192, 168, n * 16, 0), 20));
    large.chain(small).filter_map(|(address, length)| Ipv4Net::new(address, length))
}

/// The bridge's address in the first pool that shares nothing with `used`; the network's first address.
pub(crate) fn choose(config: &NetworkConfig, used: &[Ipv4Net]) -> Result<Ipv4Net> {
    default_pools()
        .find(|pool| !used.iter().any(|net| net.overlaps(*pool)))
        .and_then(|pool| Ipv4Net::new(Ipv4Addr::from_bits(pool.network().to_bits() + 1), pool.prefix_len()))
        .ok_or_else(|| Error::NoRange { bridge: config.bridge.clone() })
}

/// Refuses a `--bip` that leaves no room or is no host's address.
pub(crate) fn check_bip(config: &NetworkConfig) -> Result<()> {
    let Some(bip) = config.bip else { return Ok(()) };
    let reason = if bip.prefix_len() > 30 {
        "the network has no room for a container"
    } else if bip.prefix_len() == 0 || !usable(bip.address()) {
        "it is not an address a host can have"
    } else if bip.address() == bip.network() {
        "it is the address of the network itself"
    } else if bip.address() == bip.broadcast() {
        "it is the broadcast address of the network"
    } else {
        return Ok(());
    };
    Err(Error::BadAddress { bridge: config.bridge.clone(), bip, reason })
}

fn usable(address: Ipv4Addr) -> bool {
    !(address.is_loopback() || address.is_multicast() || address.is_unspecified() || address.octets()[0] >= 240)
}

/// How many containers the bridge's network can hold.
pub(crate) fn capacity(bridge: Ipv4Net) -> u64 {
    // Network, broadcast and the bridge itself are not for containers.
    (1u64 << (32 - bridge.prefix_len())).saturating_sub(3)
}

/// The addresses a container may have, lowest first, without those in `held`.
pub(crate) fn free(bridge: Ipv4Net, held: &BTreeSet<Ipv4Addr>) -> impl Iterator<Item = Ipv4Addr> {
    let (first, last) = (bridge.network().to_bits() + 1, bridge.broadcast().to_bits());
    (first..last).map(Ipv4Addr::from_bits).filter(move |a| *a != bridge.address() && !held.contains(a))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(bip: &str) -> NetworkConfig {
        NetworkConfig { bip: Some(bip.parse().unwrap()), ..NetworkConfig::default() }
    }

    #[test]
    fn pools_are_those_of_docker() {
        let pools: Vec<String> = default_pools().map(|p| p.to_string()).collect();
        assert_eq!(pools.len(), 31);
        assert_eq!(pools[0], "172.17.0.0/16");
        assert_eq!(pools[14], "172.31.0.0/16");
        assert_eq!((pools[15].as_str(), pools[30].as_str()), ("192.168.0.0/20", "192.168.240.0/20"));
    }

    #[test]
    fn a_range_in_use_is_skipped() {
        let used = ["172.17.8.0/24", "172.0.0.0/11"].map(|n| n.parse().unwrap());
        let config = NetworkConfig::default();
        assert_eq!(choose(&config, &[]).unwrap().to_string(), "172.17.0.1/16");
        assert_eq!(choose(&config, &used[..1]).unwrap().to_string(), "172.18.0.1/16");
        assert_eq!(choose(&config, &used).unwrap().to_string(), "192.168.0.1/20");
        let everything: Ipv4Net = "0.0.0.0/1".parse().unwrap();
        let other: Ipv4Net = "128.0.0.0/1".parse().unwrap();
        assert!(matches!(choose(&config, &[everything, other]), Err(Error::NoRange { .. })));
    }

    #[test]
    fn a_bip_must_be_a_hosts_address_with_room() {
        for good in ["10.1.2.1/24", "10.1.2.9/30", "10.9.8.7/8"] {
            check_bip(&config(good)).unwrap();
        }
        for bad in ["10.1.2.0/24", "10.1.2.255/24", "10.1.2.1/31", "127.0.0.1/8", "224.0.0.1/24", "0.0.0.1/0"] {
            assert!(matches!(check_bip(&config(bad)), Err(Error::BadAddress { .. })), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_address_is_given_once_and_then_none(bits in any::<u32>(), length in 24u8..=30, pick in any::<u32>()) {
            let base = Ipv4Net::new(Ipv4Addr::from_bits(bits), length).unwrap();
            let own = base.network().to_bits() + 1 + pick % ((1 << (32 - length)) - 2);
            let bridge = Ipv4Net::new(Ipv4Addr::from_bits(own), length).unwrap();
            let mut held = BTreeSet::new();
            let mut before = None;
            loop {
                let Some(address) = free(bridge, &held).next() else { break };
                prop_assert!(bridge.contains(address));
                prop_assert!(address != bridge.address());
                prop_assert!(address != bridge.network() && address != bridge.broadcast());
                prop_assert!(before < Some(address), "lowest first");
                before = Some(address);
                prop_assert!(held.insert(address));
            }
            prop_assert_eq!(held.len() as u64, capacity(bridge));
        }

        #[test]
        fn the_lowest_hole_is_filled_first(hole in 2u32..250) {
            let bridge: Ipv4Net = "10.0.0.1/24".parse().unwrap();
            let mut held: BTreeSet<_> = free(bridge, &BTreeSet::new()).collect();
            let address = Ipv4Addr::from_bits(bridge.network().to_bits() + hole);
            held.remove(&address);
            prop_assert_eq!(free(bridge, &held).next(), Some(address));
        }
    }
}
