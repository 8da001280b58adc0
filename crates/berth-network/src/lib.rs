//! Networks: the default bridge, the namespaces containers are born into, their addresses and their way out.
//!
//! It owns everything that is a kernel object of networking: the bridge, veth pairs, network namespaces, one nftables
//! table, the accept rules in other people's sanctioned chains; and the texts of `/etc/resolv.conf` and `/etc/hosts`
//! that follow from them. It does not know what a container is beyond its id, and executes no program: links by
//! rtnetlink, the firewall by nftables netlink.
//!
//! Start reading at [`Networks`]; a container's namespace is a [`Sandbox`], its place on the bridge an [`Endpoint`].
//!
//! # What blocks
//!
//! The API is blocking and meant for worker threads. Nothing is touched on the host until a sandbox is first asked
//! for; after that a background thread keeps a few ready, and taking one costs a queue operation and, on the bridge,
//! one unsynced write to the store. With the stock empty the call waits about a millisecond for a fresh one.

mod bridge;
mod config;
mod core;
mod error;
mod firewall;
mod link;
mod maker;
mod net;
mod netlink;
mod netns;
mod networks;
mod ranges;
mod record;
mod sandbox;
mod stock;

pub mod files;
pub mod resolv;

pub use config::{NetworkConfig, Resolver};
pub use error::{Error, ErrorKind, Result};
pub use net::{Ipv4Net, ParseNetError};
pub use networks::{Bridge, Networks};
pub use sandbox::{Endpoint, Mac, Sandbox};
