//! What the handle and the makers share: who has which address, what is in stock, and who waits.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use berth_state::{Durability, Store};

use crate::bridge::{Ready, Survey};
use crate::firewall::Firewall;
use crate::firewall::watch::Watch;
use crate::link;
use crate::netlink::Socket;
use crate::netns::Home;
use crate::record::{RangeRecord, boot_id};
use crate::stock::Stock;
use crate::{Endpoint, Error, Ipv4Net, NetworkConfig, Result, Sandbox};

/// How long after a take the stock is left alone: the launch it is for has the processors first.
const REST: Duration = Duration::from_millis(8);

/// No sandbox takes that long unless the kernel is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the handle and the makers share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) config: NetworkConfig,
    pub(crate) home: Home,
    pub(crate) boot_id: String,
    state: Mutex<State>,
    /// A maker may have something to do.
    pub(crate) wanted: Condvar,
    /// Somebody who waits may have got something.
    pub(crate) made: Condvar,
    /// The bridge, once it stands. Locked ahead of `state` where both are.
    pub(crate) up: Mutex<Option<Up>>,
}

/// The bridge and its firewall.
#[derive(Debug)]
pub(crate) struct Up {
    pub(crate) ready: Ready,
    pub(crate) firewall: Option<Arc<Firewall>>,
    pub(crate) _watch: Option<Watch>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) none: Stock<Sandbox>,
    pub(crate) bridged: Stock<(Sandbox, Endpoint)>,
    /// Who has which address.
    pub(crate) leases: HashMap<String, Ipv4Addr>,
    /// Every address that is not free: leased, in stock, being made.
    pub(crate) held: BTreeSet<Ipv4Addr>,
    /// The bridge's, once it is chosen.
    pub(crate) address: Option<Ipv4Net>,
    /// What is wrong with the firewall for good.
    pub(crate) warning: Option<String>,
    /// Not before then is anything made for the stock.
    pub(crate) rest_until: Option<Instant>,
    /// Why no maker works.
    broken: Option<String>,
    pub(crate) down: bool,
}

impl Core {
    /// Nothing made, nothing asked for; works where the calling thread is.
    pub(crate) fn new(store: Store, config: NetworkConfig, leases: HashMap<String, Ipv4Addr>) -> Result<Self> {
        let state = State {
            none: Stock::new(),
            bridged: Stock::new(),
            held: leases.values().copied().collect(),
            leases,
            address: None,
            warning: None,
            rest_until: None,
            broken: None,
            down: false,
        };
        Ok(Self {
            store,
            config,
            home: Home::here()?,
            boot_id: boot_id(),
            state: Mutex::new(state),
            wanted: Condvar::new(),
            made: Condvar::new(),
            up: Mutex::new(None),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what was made where it belongs and tells those who wait.
    pub(crate) fn settle_job(&self, put: impl FnOnce(&mut State) -> Option<Error>) {
        let failed = put(&mut self.lock());
        self.made.notify_all();
        if let Some(error) = failed {
            tracing::warn!(%error, "preparing a sandbox");
        }
    }

    /// No sandbox can be made any more.
    pub(crate) fn fail(&self, reason: String) {
        self.lock().broken = Some(reason);
        self.made.notify_all();
    }

    /// The bridge is gone, and with it the links of what was prepared on it.
    pub(crate) fn forget_bridge(&self) {
        tracing::warn!(bridge = self.config.bridge, "the bridge was removed by somebody: making it again");
        *self.up.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut state = self.lock();
        for (_, endpoint) in state.bridged.drain() {
            state.held.remove(&endpoint.address);
        }
    }

    /// Takes one from the stock, or waits for one to be made.
    pub(crate) fn take<T>(&self, stock: impl Fn(&mut State) -> &mut Stock<T>, keep: usize) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        let mut state = self.lock();
        if state.down {
            return Err(Error::ShutDown);
        }
        stock(&mut state).keep(keep);
        let mut taken = stock(&mut state).take();
        if state.rest_until.is_none() {
            state.rest_until = Some(Instant::now() + REST);
            self.wanted.notify_one();
        }
        if taken.is_none() {
            stock(&mut state).begin_waiting();
            // Both makers may have something to do now: one for us, one for the stock.
            self.wanted.notify_all();
            while taken.is_none() && !state.down && state.broken.is_none() && Instant::now() < until {
                state = self.made.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
                taken = stock(&mut state).take();
            }
            stock(&mut state).end_waiting();
        }
        match (taken, &state.broken) {
            (Some(result), _) => result,
            (None, Some(reason)) => Err(Error::Background(reason.clone())),
            (None, None) if state.down => Err(Error::ShutDown),
            (None, None) => Err(Error::TimedOut { seconds: PATIENCE.as_secs() }),
        }
    }

    /// Runs what speaks with the namespace of [`Networks::open`], whoever calls.
    pub(crate) fn at_home<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("net-host".into()).spawn_scoped(scope, || {
                self.home.enter().map_err(|source| Error::Namespace { doing: "entering", source })?;
                work()
            });
            let thread = thread.map_err(|source| Error::Thread { source })?;
            thread.join().unwrap_or_else(|_| Err(Error::Background("a thread of the network panicked".into())))
        })
    }

    /// The bridge's address: remembered, or chosen and recorded now.
    pub(crate) fn range(&self, host: &mut Socket) -> Result<Ipv4Net> {
        let leased = !self.lock().leases.is_empty();
        let recorded = self.store.read(|r| r.get::<RangeRecord>(RangeRecord::KEY))?;
        let survey = Survey::take(host, &self.config.bridge)?;
        let record = survey.choose(&self.config, recorded.as_ref(), leased)?;
        let address = record.address;
        if self.config.bip.is_some_and(|bip| bip != address) {
            tracing::warn!(%address, "containers still hold addresses: --bip takes effect when none runs");
        }
        if recorded.as_ref() != Some(&record) {
            self.store.write(Durability::Relaxed, move |tx| tx.put(RangeRecord::KEY, &record))?;
        }
        self.lock().address = Some(address);
        Ok(address)
    }

    pub(crate) fn bridge_is(&self, index: u32, host: &mut Socket) -> bool {
        link::find(host, &self.config.bridge).ok().flatten().is_some_and(|link| link.index == index)
    }
}
