//! The handle the engine holds: sandboxes out, leases in.

use std::net::Ipv4Addr;
use std::sync::Arc;

use berth_state::Store;

use crate::{Endpoint, Error, Ipv4Net, NetworkConfig, Result, Sandbox};

/// The networks of one daemon. A cheap clone is the same networks.
///
/// Everything happens in the network namespace of the thread that called [`Networks::open`].
#[derive(Debug, Clone)]
pub struct Networks {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    _store: Store,
    _config: NetworkConfig,
}

/// The default bridge network, for `inspect` and `info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// The interface's name.
    pub name: String,
    /// The network.
    pub subnet: Ipv4Net,
    /// The bridge's own address, the containers' gateway; also what `host-gateway` stands for.
    pub gateway: Ipv4Addr,
    /// Its MTU.
    pub mtu: u32,
    /// Whether what leaves it is translated.
    pub masquerade: bool,
}

impl Networks {
    /// Reads what the store remembers: the chosen range and the leases of this boot. Touches nothing on the host and
    /// starts no thread; takes as long as reading the store.
    ///
    /// # Errors
    /// A configuration that cannot be, or an unreadable store.
    pub fn open(store: &Store, config: NetworkConfig) -> Result<Self> {
        Ok(Self { inner: Arc::new(Inner { _store: store.clone(), _config: config }) })
    }

    /// Drops the leases of containers that do not run (any more) and keeps the others; to be called once before the
    /// first sandbox is taken. `running`: the ids of containers that live. Blocks for one write to the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn reconcile(&self, running: &[String]) -> Result<()> {
        let _ = running;
        Ok(())
    }

    /// Says that containers are likely to be started: begins to prepare sandboxes in the background, without waiting.
    ///
    /// Namespaces without a network need nothing of the host and are prepared at once. The bridge, its table and its
    /// sandboxes are prepared only where the bridge was used before (leases, or an interface of its name); otherwise
    /// the first [`Self::sandbox_bridge`] makes them.
    pub fn prepare(&self) {}

    /// A namespace with a loopback device only (`--network none`). Takes microseconds from the stock; blocks for
    /// about a millisecond where that is empty.
    ///
    /// # Errors
    /// When the kernel makes no namespace.
    pub fn sandbox_none(&self) -> Result<Sandbox> {
        Err(Error::ShutDown)
    }

    /// A namespace on the default bridge, with an address leased to `container_id` until [`Self::release`].
    ///
    /// Takes a queue operation and one unsynced write from the stock; about a millisecond where that is empty; a few
    /// the first time, when the bridge and the firewall are made.
    ///
    /// # Errors
    /// [`Error::Exhausted`], a bridge that cannot be made, a container that has an address already.
    pub fn sandbox_bridge(&self, container_id: &str) -> Result<(Sandbox, Endpoint)> {
        let _ = container_id;
        Err(Error::ShutDown)
    }

    /// The endpoint leased to a container, for `inspect`. Does not block.
    #[must_use]
    pub fn endpoint(&self, container_id: &str) -> Option<Endpoint> {
        let _ = container_id;
        None
    }

    /// Gives the container's address back, when it has exited or was not started after all. Nothing happens for a
    /// container without one (host or no network). The address is used again only after its link is gone, which needs
    /// no waiting here. Blocks for one unsynced write.
    ///
    /// # Errors
    /// When the store cannot be written; the lease stays.
    pub fn release(&self, container_id: &str) -> Result<()> {
        let _ = container_id;
        Ok(())
    }

    /// The default bridge network as it is or, before its first use, as it will be (the range is chosen and recorded
    /// by this call then). Blocks for a look at the host's routes the first time.
    ///
    /// # Errors
    /// When no range is free or the store cannot be written.
    pub fn bridge(&self) -> Result<Bridge> {
        Err(Error::ShutDown)
    }

    /// What users should know, one sentence each, for `info`: no nftables in this kernel, a firewall of others that
    /// drops what containers send. Does not block.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Stops the background threads and drops the stock. Where no container has a lease, the bridge (if it is ours),
    /// the table and our rules in other tables are removed; otherwise they stay for the containers that go on, and
    /// the next daemon takes them up. Blocks for some milliseconds. Later calls fail with [`Error::ShutDown`].
    ///
    /// # Errors
    /// The first thing that could not be removed; the rest is tried all the same.
    pub fn shutdown(&self) -> Result<()> {
        let _ = &self.inner;
        Ok(())
    }
}
