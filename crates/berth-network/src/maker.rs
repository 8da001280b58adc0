//! The threads that make sandboxes: for those who wait first, for the stock then.
//!
//! A maker steps into each namespace it makes and back again, so it must be a thread of its own: a thread of somebody
//! else's that failed to return would do its next work in the wrong network.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::bridge::{self, Ready};
use crate::core::{Core, Up};
use crate::firewall::watch::Watch;
use crate::firewall::{self, Firewall, Installed};
use crate::link::{self, Veth};
use crate::netlink::Socket;
use crate::netns::{self, Fresh};
use crate::sandbox::host_interface;
use crate::stock::Need;
use crate::{Endpoint, Error, Ipv4Net, Mac, Result, Sandbox, ranges};

/// How long it is waited for links that are still going, where no other address is free.
const LINGER: Duration = Duration::from_secs(2);

/// The kernel's own limit on how long it leaves a carrier unsettled, and a little.
const CARRIER: Duration = Duration::from_millis(1200);

enum Kind {
    None,
    Bridged,
}

struct Job {
    kind: Kind,
    /// Somebody waits for it.
    urgent: bool,
}

/// Works until the networks are shut down.
pub(crate) fn work(core: &Arc<Core>) {
    if let Err(source) = core.home.enter() {
        core.fail(Error::Namespace { doing: "entering", source }.to_string());
        return;
    }
    let mut host = None;
    while let Some(Job { kind, urgent }) = next(core) {
        let astray = match kind {
            Kind::None => {
                let made = sandbox_none(core);
                let astray = left_astray(&made);
                core.settle_job(|state| state.none.made(made, urgent));
                astray
            }
            Kind::Bridged => {
                let made = sandbox_bridged(core, &mut host, urgent);
                let astray = left_astray(&made);
                core.settle_job(|state| state.bridged.made(made, urgent));
                astray
            }
        };
        if let Some(reason) = astray {
            core.fail(reason);
            return;
        }
    }
}

/// Whether this thread is stuck in a namespace it made: what it did next would happen there.
fn left_astray<T>(made: &Result<T>) -> Option<String> {
    match made {
        Err(error @ Error::Namespace { doing: "leaving", .. }) => Some(error.to_string()),
        _ => None,
    }
}

/// Waits for something to do; `None`: it is over.
fn next(core: &Core) -> Option<Job> {
    let mut state = core.lock();
    loop {
        if state.down {
            return None;
        }
        let rest =
            state.rest_until.map(|until| until.saturating_duration_since(Instant::now())).filter(|r| !r.is_zero());
        for need in [Need::Urgent, Need::Stock] {
            if need == Need::Stock && rest.is_some() {
                break;
            }
            let urgent = need == Need::Urgent;
            if !urgent {
                // The next take begins a new rest.
                state.rest_until = None;
            }
            if state.bridged.needs() == need {
                state.bridged.begin_making();
                return Some(Job { kind: Kind::Bridged, urgent });
            }
            if state.none.needs() == need {
                state.none.begin_making();
                return Some(Job { kind: Kind::None, urgent });
            }
        }
        state = match rest {
            Some(rest) => core.wanted.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0,
            None => core.wanted.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

fn sandbox_none(core: &Core) -> Result<Sandbox> {
    let Fresh { netns, mut inside } = netns::make(&core.home)?;
    link::lo_up(&mut inside).map_err(|source| inside_failed("lo", source))?;
    Ok(Sandbox { netns })
}

fn inside_failed(object: &str, source: std::io::Error) -> Error {
    Error::Link { doing: "bringing up", object: format!("{object} in a new namespace"), source }
}

fn sandbox_bridged(core: &Core, host: &mut Option<Socket>, urgent: bool) -> Result<(Sandbox, Endpoint)> {
    let host = match host {
        Some(socket) => socket,
        None => host.insert(Socket::host()?),
    };
    let ready = bridge_up(core)?;
    let fresh = netns::make(&core.home)?;
    match plug(core, host, ready, fresh, urgent) {
        // The bridge was removed behind our back: what hangs in the stock is dead, a new bridge is needed.
        Err(Error::Link { .. }) if !core.bridge_is(ready.index, host) => {
            core.forget_bridge();
            let ready = bridge_up(core)?;
            plug(core, host, ready, netns::make(&core.home)?, urgent)
        }
        other => other,
    }
}

/// Gives the namespace a leg on the bridge.
fn plug(core: &Core, host: &mut Socket, ready: Ready, fresh: Fresh, urgent: bool) -> Result<(Sandbox, Endpoint)> {
    let Fresh { netns, mut inside } = fresh;
    let address = claim(core, ready.address, urgent, |address| {
        let veth = Veth {
            host: &host_interface(address),
            bridge: ready.index,
            netns: netns.as_fd(),
            mac: Mac::of(address),
            mtu: core.config.mtu,
        };
        link::add_veth(host, &veth)
    })?;
    let endpoint = Endpoint::new(ready.address, core.config.mtu, address);
    let own = Ipv4Net::new(address, endpoint.prefix_len).expect("the bridge's own prefix length");
    match link::configure(&mut inside, own, endpoint.gateway) {
        Ok(()) => {
            carry(core, host, &endpoint);
            Ok((Sandbox { netns }, endpoint))
        }
        Err(source) => {
            core.lock().held.remove(&address);
            Err(inside_failed("eth0", source))
        }
    }
}

/// Waits until the port, and with the first port the bridge, pass packets: what is sent before is lost, and the
/// sender tries again a second later only.
///
/// The kernel settles a new carrier in its own time, up to a second; asking for a link makes it do so at once (since
/// Linux 6.6; before, this waits).
fn carry(core: &Core, host: &mut Socket, endpoint: &Endpoint) {
    let until = Instant::now() + CARRIER;
    for name in [endpoint.host_interface.as_str(), core.config.bridge.as_str()] {
        while !link::is_up(host, name) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The lowest address that nobody holds and whose link, from an earlier use, is gone: the kernel tells by refusing the
/// link's name.
fn claim(
    core: &Core,
    net: Ipv4Net,
    urgent: bool,
    mut try_link: impl FnMut(Ipv4Addr) -> std::io::Result<()>,
) -> Result<Ipv4Addr> {
    let mut lingering: Vec<Ipv4Addr> = Vec::new();
    let until = Instant::now() + LINGER;
    loop {
        let candidate = {
            let mut state = core.lock();
            let free = ranges::free(net, &state.held).find(|address| !lingering.contains(address));
            if let Some(address) = free {
                state.held.insert(address);
            }
            free
        };
        let Some(address) = candidate else {
            if lingering.is_empty() || !urgent || Instant::now() > until {
                return Err(Error::Exhausted { subnet: net.subnet(), capacity: ranges::capacity(net) });
            }
            std::thread::sleep(Duration::from_millis(5));
            lingering.clear();
            continue;
        };
        let Err(source) = try_link(address) else { return Ok(address) };
        core.lock().held.remove(&address);
        if source.kind() != std::io::ErrorKind::AlreadyExists {
            return Err(Error::Link { doing: "making the link", object: host_interface(address), source });
        }
        lingering.push(address);
    }
}

/// The bridge, made with all that belongs to it where it does not stand yet. Others wait for the first.
fn bridge_up(core: &Core) -> Result<Ready> {
    let mut up = core.up.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(up) = &*up {
        return Ok(up.ready);
    }
    let mut host = Socket::host()?;
    let range = core.range(&mut host)?;
    let ready = bridge::bring_up(&mut host, &core.config, range)?;
    let (firewall, watch) = install(core, range)?;
    *up = Some(Up { ready, firewall, _watch: watch });
    Ok(ready)
}

type Guard = (Option<Arc<Firewall>>, Option<Watch>);

fn install(core: &Core, range: Ipv4Net) -> Result<Guard> {
    if !core.config.firewall {
        return Ok((None, None));
    }
    let plan =
        firewall::Plan { bridge: core.config.bridge.clone(), subnet: range.subnet(), masquerade: core.config.ip_masq };
    match Firewall::install(plan)? {
        Installed::Yes(firewall) => {
            let firewall = Arc::new(firewall);
            let watch = Watch::start(Arc::clone(&firewall))?;
            Ok((Some(firewall), Some(watch)))
        }
        Installed::Unsupported(warning) => {
            tracing::warn!("{warning}");
            core.lock().warning = Some(warning);
            Ok((None, None))
        }
    }
}
