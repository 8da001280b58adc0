//! The bridge itself: which range it has, and how it comes up and goes.

use std::fs;
use std::io;

use crate::link::{self, Link};
use crate::netlink::Socket;
use crate::record::RangeRecord;
use crate::{Error, Ipv4Net, Mac, NetworkConfig, Result, netns, ranges};

/// Marks a bridge as made by us: only such a one is ever changed or removed.
const ALIAS: &str = "made by berth";

/// A bridge that is up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) index: u32,
    pub(crate) address: Ipv4Net,
}

/// What the host has and uses, as far as the choice of a range goes.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The interface with the bridge's name.
    existing: Option<Link>,
    /// Its addresses.
    addresses: Vec<Ipv4Net>,
    /// What the host reaches by other interfaces.
    used: Vec<Ipv4Net>,
}

impl Survey {
    pub(crate) fn take(socket: &mut Socket, name: &str) -> Result<Self> {
        let read =
            |source| Error::Link { doing: "reading the addresses and routes beside", object: name.into(), source };
        let existing = link::find(socket, name).map_err(read)?;
        let index = existing.as_ref().map_or(0, |link| link.index);
        let (own, others): (Vec<_>, Vec<_>) =
            link::addresses(socket).map_err(read)?.into_iter().partition(|(link, _)| *link == index);
        let routes = link::routes(socket).map_err(read)?;
        let elsewhere = others.into_iter().chain(routes).filter(|(link, _)| index == 0 || *link != index);
        Ok(Self {
            existing,
            addresses: own.into_iter().map(|(_, net)| net).collect(),
            used: elsewhere.map(|(_, net)| net).collect(),
        })
    }

    fn is_ours(&self) -> bool {
        self.existing.as_ref().is_some_and(|link| link.alias.as_deref() == Some(ALIAS))
    }

    /// The bridge's address: an administrator's own bridge keeps its address; then `--bip`; then what was chosen
    /// before, while nothing else took it; then the first pool that is free. With `leased` addresses nothing moves.
    pub(crate) fn choose(
        &self,
        config: &NetworkConfig,
        recorded: Option<&RangeRecord>,
        leased: bool,
    ) -> Result<RangeRecord> {
        if let (true, Some(record)) = (leased, recorded) {
            return Ok(record.clone());
        }
        let foreign = (self.existing.is_some() && !self.is_ours()).then(|| self.addresses.first()).flatten();
        if let Some(address) = foreign {
            let reason = "the bridge was not made by berth and has another address";
            return match config.bip {
                Some(bip) if bip != *address => Err(Error::BadAddress { bridge: config.bridge.clone(), bip, reason }),
                _ => Ok(RangeRecord { address: *address, asked: true }),
            };
        }
        if let Some(address) = config.bip {
            return Ok(RangeRecord { address, asked: true });
        }
        let kept = recorded.filter(|record| !record.asked).map(|record| record.address);
        let standing = self.is_ours().then(|| self.addresses.first().copied()).flatten();
        let free = |address: &Ipv4Net| !self.used.iter().any(|net| net.overlaps(*address));
        let address = match kept.or(standing).filter(free) {
            Some(address) => address,
            None => ranges::choose(config, &self.used)?,
        };
        Ok(RangeRecord { address, asked: false })
    }
}

/// Makes the bridge where it is missing and gives it its address; idempotent.
pub(crate) fn bring_up(socket: &mut Socket, config: &NetworkConfig, address: Ipv4Net) -> Result<Ready> {
    let name = config.bridge.as_str();
    let failed = |doing| move |source| Error::Link { doing, object: name.to_owned(), source };
    let link = match link::find(socket, name).map_err(failed("looking for bridge"))? {
        Some(link) => link,
        None => create(socket, config, address)?,
    };
    if link.kind.as_deref() != Some("bridge") {
        return Err(Error::NotABridge { name: name.to_owned() });
    }
    if link.alias.as_deref() == Some(ALIAS) {
        link::set(socket, link.index, None, config.mtu).map_err(failed("setting up bridge"))?;
        let own = link::addresses(socket).map_err(failed("reading the addresses of"))?;
        for (_, old) in own.into_iter().filter(|(index, old)| *index == link.index && *old != address) {
            link::delete_address(socket, link.index, old).map_err(failed("taking the old address from"))?;
        }
    }
    link::add_address(socket, link.index, address).map_err(failed("giving an address to"))?;
    if config.ip_forward {
        forward()?;
    }
    Ok(Ready { index: link.index, address })
}

fn create(socket: &mut Socket, config: &NetworkConfig, address: Ipv4Net) -> Result<Link> {
    let name = config.bridge.as_str();
    let failed = |source| Error::Link { doing: "creating bridge", object: name.to_owned(), source };
    // A fixed MAC: otherwise the bridge takes that of its lowest port, and changes it as containers come and go.
    match link::add_bridge(socket, name, Mac::of(address.address()), config.mtu) {
        // Somebody was quicker; it is looked at below like one that was there before.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(failed)?,
    }
    let gone = || io::Error::from_raw_os_error(rustix::io::Errno::NODEV.raw_os_error());
    let link = link::find(socket, name).map_err(failed)?.ok_or_else(gone).map_err(failed)?;
    link::set(socket, link.index, Some(ALIAS), config.mtu).map_err(failed)?;
    tracing::info!(bridge = name, %address, "made the bridge");
    Ok(Link { alias: Some(ALIAS.into()), ..link })
}

/// Lets the kernel pass packets between interfaces. As with Docker it stays on when we go: others may rely on it by then.
fn forward() -> Result<()> {
    let parameter = "net/ipv4/ip_forward";
    if fs::read_to_string(format!("/proc/sys/{parameter}")).is_ok_and(|value| value.trim() == "0") {
        netns::set(parameter, "1")?;
        tracing::info!("turned net.ipv4.ip_forward on, for containers to reach beyond this host");
    }
    Ok(())
}

/// Removes the bridge if it is one of ours; one that is gone is no error.
pub(crate) fn take_down(socket: &mut Socket, name: &str) -> Result<()> {
    let failed = |source| Error::Link { doing: "removing bridge", object: name.to_owned(), source };
    match link::find(socket, name).map_err(failed)? {
        Some(link) if link.alias.as_deref() == Some(ALIAS) => link::delete(socket, link.index).map_err(failed),
        _ => Ok(()),
    }
}

/// Whether a bridge of ours with that name stands.
pub(crate) fn stands(socket: &mut Socket, name: &str) -> bool {
    link::find(socket, name).ok().flatten().is_some_and(|link| link.alias.as_deref() == Some(ALIAS))
}

/// Refuses what cannot name an interface.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > 15
        || matches!(name, "." | "..")
        || name.bytes().any(|b| b == b'/' || b == b':' || b.is_ascii_whitespace() || b == 0);
    if bad { Err(Error::BadName { name: name.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn survey(existing: Option<&str>, addresses: &[&str], used: &[&str]) -> Survey {
        let nets = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        let existing =
            existing.map(|alias| Link { index: 7, kind: Some("bridge".into()), alias: Some(alias.into()), up: true });
        Survey { existing, addresses: nets(addresses), used: nets(used) }
    }

    fn record(address: &str, asked: bool) -> RangeRecord {
        RangeRecord { address: address.parse().unwrap(), asked }
    }

    fn chosen(survey: &Survey, bip: Option<&str>, recorded: Option<&RangeRecord>, leased: bool) -> String {
        let config = NetworkConfig { bip: bip.map(|b| b.parse().unwrap()), ..NetworkConfig::default() };
        match survey.choose(&config, recorded, leased) {
            Ok(record) => format!("{} {}", record.address, record.asked),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_range_is_kept_until_something_else_takes_it() {
        let kept = record("172.20.0.1/16", false);
        assert_eq!(chosen(&survey(None, &[], &[]), None, None, false), "172.17.0.1/16 false");
        assert_eq!(chosen(&survey(None, &[], &[]), None, Some(&kept), false), "172.20.0.1/16 false");
        let taken = survey(None, &[], &["172.20.3.0/24"]);
        assert_eq!(chosen(&taken, None, Some(&kept), false), "172.17.0.1/16 false");
        assert_eq!(chosen(&taken, None, Some(&kept), true), "172.20.0.1/16 false", "containers hold it");
        assert_eq!(chosen(&taken, Some("10.1.2.1/24"), Some(&kept), false), "10.1.2.1/24 true");
        assert_eq!(chosen(&taken, Some("10.1.2.1/24"), Some(&kept), true), "172.20.0.1/16 false");
        let asked = record("10.9.0.1/16", true);
        assert_eq!(chosen(&survey(None, &[], &[]), None, Some(&asked), false), "172.17.0.1/16 false");
    }

    #[test]
    fn a_standing_bridge_keeps_its_address() {
        let ours = survey(Some(ALIAS), &["172.19.0.1/16"], &["172.17.0.0/16"]);
        assert_eq!(chosen(&ours, None, None, false), "172.19.0.1/16 false");
        let theirs = survey(Some(""), &["10.5.0.1/16"], &[]);
        assert_eq!(chosen(&theirs, None, None, false), "10.5.0.1/16 true");
        assert_eq!(
            chosen(&theirs, Some("10.6.0.1/16"), None, false),
            "10.6.0.1/16 cannot be the address of bridge berth0: \
             the bridge was not made by berth and has another address"
        );
    }

    #[test]
    fn names_of_interfaces() {
        for good in ["berth0", "b", "a123456789bcdef"] {
            check_name(good).unwrap();
        }
        for bad in ["", ".", "..", "a/b", "a b", "a123456789bcdefg"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
