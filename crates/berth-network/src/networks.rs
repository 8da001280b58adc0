//! The handle the engine holds: sandboxes out, leases in.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use berth_state::{Durability, Store};

use crate::core::Core;
use crate::netlink::Socket;
use crate::record::{LeaseRecord, boot_id};
use crate::{Endpoint, Error, Ipv4Net, NetworkConfig, Result, Sandbox, bridge, firewall, maker, ranges};

/// How many sandboxes of each kind wait to be taken, once one was.
const READY_NONE: usize = 2;
const READY_BRIDGED: usize = 3;

/// Two, as half of the making waits for the kernel's one lock on links; more were no faster on two processors.
const MAKERS: usize = 2;

/// The networks of one daemon. A cheap clone is the same networks; when the last is dropped the threads end, and what
/// is on the host stays as it is.
///
/// Everything happens in the network namespace of the thread that called [`Networks::open`].
#[derive(Debug, Clone)]
pub struct Networks {
    handle: Arc<Handle>,
}

/// Ends the threads when the last [`Networks`] is gone: the threads themselves hold the core only.
#[derive(Debug)]
struct Handle {
    core: Arc<Core>,
    makers: Mutex<Vec<JoinHandle<()>>>,
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
    /// How containers resolve names that say nothing themselves.
    #[must_use]
    pub fn resolver(&self) -> &crate::Resolver {
        &self.handle.core.config.resolver
    }

    /// Reads what the store remembers: the chosen range and the leases of this boot. Touches nothing on the host and
    /// starts no thread; takes as long as reading the store.
    ///
    /// # Errors
    /// A configuration that cannot be, or an unreadable store.
    pub fn open(store: &Store, config: NetworkConfig) -> Result<Self> {
        bridge::check_name(&config.bridge)?;
        ranges::check_bip(&config)?;
        let leases = read_leases(store, &boot_id())?;
        let core = Core::new(store.clone(), config, leases)?;
        Ok(Self { handle: Arc::new(Handle { core: Arc::new(core), makers: Mutex::default() }) })
    }

    /// Drops the leases of containers that do not run (any more) and keeps the others; to be called once before the
    /// first sandbox is taken. `running`: the ids of containers that live. Blocks for one write to the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn reconcile(&self, running: &[String]) -> Result<()> {
        let core = &self.handle.core;
        let stale: Vec<String> = {
            let state = core.lock();
            state.leases.keys().filter(|id| !running.contains(id)).cloned().collect()
        };
        if stale.is_empty() {
            return Ok(());
        }
        let gone = stale.clone();
        core.store.write(Durability::Relaxed, move |tx| {
            gone.iter().try_for_each(|id| tx.delete::<LeaseRecord>(id).map(drop))
        })?;
        let mut state = core.lock();
        for id in stale {
            if let Some(address) = state.leases.remove(&id) {
                state.held.remove(&address);
            }
        }
        Ok(())
    }

    /// Says that containers are likely to be started: begins to prepare sandboxes in the background, without waiting.
    ///
    /// Namespaces without a network need nothing of the host and are prepared at once. The bridge, its table and its
    /// sandboxes are prepared only where the bridge was used before (leases, or an interface of its name); otherwise
    /// the first [`Self::sandbox_bridge`] makes them.
    pub fn prepare(&self) {
        let core = &self.handle.core;
        let used = !core.lock().leases.is_empty()
            || core.at_home(|| Ok(bridge::stands(&mut Socket::host()?, &core.config.bridge))).unwrap_or(false);
        let mut state = core.lock();
        state.none.keep(READY_NONE);
        if used {
            state.bridged.keep(READY_BRIDGED);
        }
        drop(state);
        if let Err(error) = self.start_makers() {
            tracing::warn!(%error, "preparing sandboxes");
        }
        core.wanted.notify_all();
    }

    /// A namespace with a loopback device only (`--network none`). Takes microseconds from the stock; blocks for
    /// about a millisecond where that is empty.
    ///
    /// # Errors
    /// When the kernel makes no namespace.
    pub fn sandbox_none(&self) -> Result<Sandbox> {
        self.start_makers()?;
        self.handle.core.take(|state| &mut state.none, READY_NONE)
    }

    /// A namespace on the default bridge, with an address leased to `container_id` until [`Self::release`].
    ///
    /// Takes a queue operation and one unsynced write from the stock; about a millisecond where that is empty; a few
    /// the first time, when the bridge and the firewall are made.
    ///
    /// # Errors
    /// [`Error::Exhausted`], a bridge that cannot be made, a container that has an address already.
    pub fn sandbox_bridge(&self, container_id: &str) -> Result<(Sandbox, Endpoint)> {
        let core = &self.handle.core;
        if let Some(&address) = core.lock().leases.get(container_id) {
            return Err(Error::AlreadyAttached { container: container_id.to_owned(), address });
        }
        self.start_makers()?;
        let (sandbox, endpoint) = core.take(|state| &mut state.bridged, READY_BRIDGED)?;
        let address = endpoint.address;
        core.lock().leases.insert(container_id.to_owned(), address);
        let record = LeaseRecord { address, boot_id: core.boot_id.clone() };
        let id = container_id.to_owned();
        if let Err(error) = core.store.write(Durability::Relaxed, move |tx| tx.put(&id, &record)) {
            self.forget_lease(container_id);
            return Err(error.into());
        }
        Ok((sandbox, endpoint))
    }

    /// The endpoint leased to a container, for `inspect`. Does not block.
    #[must_use]
    pub fn endpoint(&self, container_id: &str) -> Option<Endpoint> {
        let core = &self.handle.core;
        let address = *core.lock().leases.get(container_id)?;
        let bridge = self.bridge().ok()?;
        let net = Ipv4Net::new(bridge.gateway, bridge.subnet.prefix_len())?;
        Some(Endpoint::new(net, bridge.mtu, address))
    }

    /// Gives the container's address back, when it has exited or was not started after all. Nothing happens for a
    /// container without one (host or no network). The address is used again only after its link is gone, which needs
    /// no waiting here. Blocks for one unsynced write.
    ///
    /// # Errors
    /// When the store cannot be written; the lease stays.
    pub fn release(&self, container_id: &str) -> Result<()> {
        let core = &self.handle.core;
        if !core.lock().leases.contains_key(container_id) {
            return Ok(());
        }
        let id = container_id.to_owned();
        core.store.write(Durability::Relaxed, move |tx| tx.delete::<LeaseRecord>(&id).map(drop))?;
        self.forget_lease(container_id);
        Ok(())
    }

    /// The default bridge network as it is or, before its first use, as it will be (the range is chosen and recorded
    /// by this call then). Blocks for a look at the host's routes the first time.
    ///
    /// # Errors
    /// When no range is free or the store cannot be written.
    pub fn bridge(&self) -> Result<Bridge> {
        let core = &self.handle.core;
        let known = core.lock().address;
        let address = match known {
            Some(address) => address,
            None => {
                // One at a time chooses, be it for a look or for the bridge itself.
                let up = core.up.lock().unwrap_or_else(PoisonError::into_inner);
                let address = core.at_home(|| core.range(&mut Socket::host()?))?;
                drop(up);
                address
            }
        };
        Ok(Bridge {
            name: core.config.bridge.clone(),
            subnet: address.subnet(),
            gateway: address.address(),
            mtu: core.config.mtu,
            masquerade: core.config.ip_masq,
        })
    }

    /// What users should know, one sentence each, for `info`: no nftables in this kernel, a firewall of others that
    /// drops what containers send. Does not block.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let core = &self.handle.core;
        let firewall = match core.up.try_lock() {
            Ok(up) => up.as_ref().and_then(|up| up.firewall.clone()),
            Err(_) => None,
        };
        let mut warnings = firewall.map(|firewall| firewall.warnings()).unwrap_or_default();
        warnings.extend(core.lock().warning.clone());
        warnings
    }

    /// Stops the background threads and drops the stock. Where no container has a lease, the bridge (if it is ours),
    /// the table and our rules in other tables are removed; otherwise they stay for the containers that go on, and
    /// the next daemon takes them up. Blocks for some milliseconds. Later calls fail with [`Error::ShutDown`].
    ///
    /// # Errors
    /// The first thing that could not be removed; the rest is tried all the same.
    pub fn shutdown(&self) -> Result<()> {
        let core = &self.handle.core;
        self.handle.stop();
        let up = core.up.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Ends the watch first: it would put back what is taken away here.
        drop(up);
        let mut state = core.lock();
        drop((state.none.drain(), state.bridged.drain()));
        let in_use = !state.leases.is_empty();
        drop(state);
        if in_use {
            return Ok(());
        }
        core.at_home(|| {
            let mut host = Socket::host()?;
            if !bridge::stands(&mut host, &core.config.bridge) && core.lock().address.is_none() {
                return Ok(());
            }
            let rules = if core.config.firewall { firewall::remove(&core.config.bridge) } else { Ok(()) };
            rules.and(bridge::take_down(&mut host, &core.config.bridge))
        })
    }

    fn forget_lease(&self, container_id: &str) {
        let core = &self.handle.core;
        let mut state = core.lock();
        if let Some(address) = state.leases.remove(container_id) {
            state.held.remove(&address);
        }
        state.bridged.retry();
        drop(state);
        core.wanted.notify_one();
    }

    fn start_makers(&self) -> Result<()> {
        let mut makers = self.handle.makers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.handle.core.lock().down {
            return Err(Error::ShutDown);
        }
        while makers.len() < MAKERS {
            let core = Arc::clone(&self.handle.core);
            let thread = std::thread::Builder::new().name("net-maker".into()).spawn(move || maker::work(&core));
            makers.push(thread.map_err(|source| Error::Thread { source })?);
        }
        Ok(())
    }
}

impl Handle {
    /// Ends the makers; what they are at is finished and dropped.
    fn stop(&self) {
        self.core.lock().down = true;
        self.core.wanted.notify_all();
        self.core.made.notify_all();
        let makers = std::mem::take(&mut *self.makers.lock().unwrap_or_else(PoisonError::into_inner));
        for maker in makers {
            drop(maker.join());
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The leases of this boot; those of an earlier one are forgotten.
fn read_leases(store: &Store, boot_id: &str) -> Result<HashMap<String, Ipv4Addr>> {
    let (kept, stale): (Vec<_>, Vec<_>) =
        store.read(|r| r.list::<LeaseRecord>())?.into_iter().partition(|(_, lease)| lease.boot_id == boot_id);
    if !stale.is_empty() {
        store.write(Durability::Relaxed, move |tx| {
            stale.iter().try_for_each(|(id, _)| tx.delete::<LeaseRecord>(id).map(drop))
        })?;
    }
    Ok(kept.into_iter().map(|(id, lease)| (id, lease.address)).collect())
}
