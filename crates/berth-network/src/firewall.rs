//! The firewall of one bridge: a table of our own, and a place in the chains of others where they drop.
//!
//! It owns the table `berth` (of a bridge with another name: `berth-<bridge>`) and the rules tagged with the bridge's
//! name in `DOCKER-USER`; it changes nobody else's rule. It knows one bridge's name and network and nothing of
//! containers: starting and stopping one changes no rule.
//!
//! When others change the firewall (a dockerd starts, an administrator reloads a ruleset that flushes everything), the
//! kernel says so to [`watch`], and [`Firewall::settle`] puts things right again within some tens of milliseconds.
//! So a launch never looks at the firewall.

mod neighbours;
mod nft;
mod ruleset;
mod table;
pub(crate) mod watch;

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::netlink::Socket;
use crate::{Error, Ipv4Net, Result};

/// What the firewall of one bridge is to be.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) bridge: String,
    pub(crate) subnet: Ipv4Net,
    pub(crate) masquerade: bool,
}

/// The firewall of one bridge, in the network namespace its sockets were opened in.
#[derive(Debug)]
pub(crate) struct Firewall {
    plan: Plan,
    socket: Mutex<Socket>,
    warnings: Mutex<Vec<String>>,
}

/// Whether there is a firewall to speak of.
#[derive(Debug)]
pub(crate) enum Installed {
    Yes(Firewall),
    /// This kernel has no nftables; the sentence that says so.
    Unsupported(String),
}

impl Firewall {
    /// Puts our table in place, over whatever an earlier daemon left, and then settles with the neighbours.
    pub(crate) fn install(plan: Plan) -> Result<Installed> {
        let mut socket = match Socket::netfilter(0) {
            Err(error) if unsupported(&error) => return Ok(Installed::Unsupported(no_nftables(&plan))),
            other => other.map_err(|source| failed("opening a socket for", &plan.bridge, source))?,
        };
        // Without nftables behind the socket even a question is refused, as invalid.
        match ruleset::chains(&mut socket) {
            Err(error) if unsupported(&error) || error.kind() == io::ErrorKind::InvalidInput => {
                return Ok(Installed::Unsupported(no_nftables(&plan)));
            }
            other => drop(other.map_err(|source| failed("reading", "the chains", source))?),
        }
        match table::install(&mut socket, &plan) {
            Err(error) if unsupported(&error) => return Ok(Installed::Unsupported(no_nftables(&plan))),
            other => other.map_err(|source| failed("installing table", &table::name(&plan.bridge), source))?,
        }
        let firewall = Self { plan, socket: Mutex::new(socket), warnings: Mutex::default() };
        firewall.settle()?;
        Ok(Installed::Yes(firewall))
    }

    /// Looks whether everything of ours is in its place and puts back what is not. Writes nothing where all is well.
    pub(crate) fn settle(&self) -> Result<()> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = table::is_whole(&mut socket, &self.plan)
            .map_err(|source| failed("reading table", &table::name(&self.plan.bridge), source))?;
        if !whole {
            tracing::info!(
                table = table::name(&self.plan.bridge),
                "somebody removed our firewall rules: restoring them"
            );
            table::install(&mut socket, &self.plan)
                .map_err(|source| failed("installing table", &table::name(&self.plan.bridge), source))?;
        }
        let warnings = neighbours::settle(&mut socket, &self.plan.bridge)
            .map_err(|source| failed("finding a place for rules in", "the chains of others", source))?;
        let mut known = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in warnings.iter().filter(|w| !known.contains(w)) {
            tracing::warn!("{warning}");
        }
        *known = warnings;
        Ok(())
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes everything of the bridge's out of the firewall, whoever put it there; nothing there is no error.
pub(crate) fn remove(bridge: &str) -> Result<()> {
    let nothing_there = |error: &io::Error| unsupported(error) || error.kind() == io::ErrorKind::InvalidInput;
    let mut socket = match Socket::netfilter(0) {
        Err(error) if nothing_there(&error) => return Ok(()),
        other => other.map_err(|source| failed("opening a socket for", bridge, source))?,
    };
    let tagged = match neighbours::remove(&mut socket, bridge) {
        Err(error) if nothing_there(&error) => return Ok(()),
        other => other.map_err(|source| failed("removing rules from", neighbours::DOCKER_USER, source)),
    };
    let own =
        table::remove(&mut socket, bridge).map_err(|source| failed("removing table", &table::name(bridge), source));
    tagged.and(own)
}

fn failed(doing: &'static str, object: &str, source: io::Error) -> Error {
    Error::Firewall { doing, object: object.to_owned(), source }
}

/// No netfilter netlink at all, no nftables behind it, or not the parts of it that we need.
fn unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::PROTONOSUPPORT, Errno::AFNOSUPPORT, Errno::OPNOTSUPP, Errno::NOENT]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn no_nftables(plan: &Plan) -> String {
    format!(
        "this kernel has no nftables: containers on {} reach each other and this host, but nothing beyond it",
        plan.bridge
    )
}
