//! What can go wrong with a network, one variant a step, with its object.

use std::net::Ipv4Addr;

use crate::Ipv4Net;

/// What this crate's calls give back.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The family an error belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The configuration itself is wrong.
    Invalid,
    /// Something needed is used up or away for now.
    Unavailable,
    /// A bug or a broken host.
    Internal,
}

/// A failed step. `Display` is one sentence without its cause; the cause is the `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Every address is leased.
    #[error(
        "no address is free on network bridge: {subnet} has {capacity} addresses for containers and all are in use"
    )]
    Exhausted {
        /// The network.
        subnet: Ipv4Net,
        /// How many containers it can hold.
        capacity: u64,
    },
    /// Every default pool collides with something the host reaches.
    #[error(
        "no address range is free for bridge {bridge}: every default range collides with a route of this host; name one with --bip"
    )]
    NoRange {
        /// The bridge.
        bridge: String,
    },
    /// `--bip` cannot be a bridge's address.
    #[error("{bip} cannot be the address of bridge {bridge}: {reason}")]
    BadAddress {
        /// The bridge.
        bridge: String,
        /// What was asked for.
        bip: Ipv4Net,
        /// Why not.
        reason: &'static str,
    },
    /// The configured bridge name cannot name an interface.
    #[error("{name:?} cannot name a bridge: 1 to 15 bytes without '/' or white space are allowed")]
    BadName {
        /// The name.
        name: String,
    },
    /// An interface of that name exists and is no bridge.
    #[error("interface {name} exists and is not a bridge")]
    NotABridge {
        /// The interface.
        name: String,
    },
    /// A request to the kernel's routing side failed.
    #[error("{doing} {object}: {source}")]
    Link {
        /// What was being done: "creating bridge".
        doing: &'static str,
        /// To what.
        object: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A request to nftables failed.
    #[error("{doing} {object} in nftables: {source}")]
    Firewall {
        /// What was being done: "installing table".
        doing: &'static str,
        /// To what.
        object: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A network namespace could not be made or entered.
    #[error("{doing} a network namespace: {source}")]
    Namespace {
        /// What was being done: "making".
        doing: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A kernel parameter could not be read or set.
    #[error("setting {parameter}: {source}")]
    Parameter {
        /// The path below `/proc/sys`.
        parameter: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The container holds an address already.
    #[error("container {container} already has address {address}")]
    AlreadyAttached {
        /// The container's id.
        container: String,
        /// Its address.
        address: Ipv4Addr,
    },
    /// The background thread could not be started.
    #[error("starting a thread of the network: {source}")]
    Thread {
        /// What the kernel said.
        source: std::io::Error,
    },
    /// No sandbox came in time.
    #[error("no network namespace was ready within {seconds} seconds")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// [`crate::Networks::shutdown`] was called.
    #[error("the network is shut down")]
    ShutDown,
    /// A background thread failed; its error's text.
    #[error("{0}")]
    Background(String),
    /// Leases or the chosen range could not be read or written.
    #[error("recording the network's state")]
    State(#[from] berth_state::Error),
}

impl Error {
    /// What a caller may do about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::BadAddress { .. } | Self::BadName { .. } | Self::NotABridge { .. } => ErrorKind::Invalid,
            Self::Exhausted { .. } | Self::NoRange { .. } | Self::TimedOut { .. } | Self::ShutDown => {
                ErrorKind::Unavailable
            }
            _ => ErrorKind::Internal,
        }
    }
}
