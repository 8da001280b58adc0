//! What every container's task stands on: the services it calls, and where things lie. No container's state.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use berth_cgroup::Hierarchy;
use berth_network::Networks;
use berth_state::Store;
use tokio::sync::{Semaphore, watch};

use crate::events::{EventKind, Events};
use crate::exec::Sessions;
use crate::fault::Faults;
use crate::filters::Filters;
use crate::host::HostFacts;
use crate::id::{ContainerId, Index};
use crate::images::Images;
use crate::policy::Policy;
use crate::runtimes::Runtimes;
use crate::shared::Shared;
use crate::spec::NetworkMode;
use crate::view::{ContainerView, Paths};
use crate::volumes::Shelf;

/// Restarts by policy at once: a host with many containers is not to drown when its daemon starts.
const RESTARTS: usize = 8;

#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) data_root: PathBuf,
    /// `<exec root>/<boot id>`.
    pub(crate) run_root: PathBuf,
    pub(crate) store: Store,
    pub(crate) images: Arc<dyn Images>,
    pub(crate) networks: Networks,
    pub(crate) volumes: Arc<Shelf>,
    pub(crate) host: HostFacts,
    pub(crate) hierarchy: Hierarchy,
    /// The same as JSON, for shims.
    pub(crate) hierarchy_value: serde_json::Value,
    /// Our own program, out of containers' reach: what shims are started from.
    pub(crate) program: OwnedFd,
    pub(crate) filters: Filters,
    pub(crate) events: Events,
    pub(crate) sessions: Sessions,
    /// How many shims have said that their container is over and are not gone yet.
    pub(crate) leaving: watch::Sender<usize>,
    /// Whose turn it is to be restarted by policy.
    pub(crate) restarts: Arc<Semaphore>,
    /// How many calls are stopping everything: policies are at rest then.
    pub(crate) going_down: AtomicUsize,
    pub(crate) cgroup_parent: String,
    pub(crate) policy: Policy,
    /// What is to fail, in tests.
    pub(crate) faults: Faults,
    /// Replaced as a whole by a reload.
    pub(crate) runtimes: RwLock<Runtimes>,
    /// Only who is called what: no container's state is behind this lock, and nothing is awaited under it.
    index: RwLock<Index<Arc<Shared>>>,
}

/// What [`Ground`] is made of, but for the index.
pub(crate) struct Parts {
    pub(crate) config: crate::EngineConfig,
    pub(crate) host: HostFacts,
    pub(crate) hierarchy: Hierarchy,
    pub(crate) hierarchy_value: serde_json::Value,
    pub(crate) program: OwnedFd,
}

impl Ground {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { config, host, hierarchy, hierarchy_value, program } = parts;
        let events = Events::open(config.data_root.join("events.jsonl"));
        Self {
            run_root: config.exec_root.join(&host.boot_id),
            volumes: Arc::new(Shelf::new(&config.data_root, config.store.clone(), events.clone())),
            data_root: config.data_root,
            store: config.store,
            images: config.images,
            networks: config.networks,
            filters: Filters::new(host.kernel_version()),
            host,
            hierarchy,
            hierarchy_value,
            program,
            events,
            sessions: Sessions::default(),
            leaving: watch::Sender::new(0),
            restarts: Arc::new(Semaphore::new(RESTARTS)),
            going_down: AtomicUsize::new(0),
            cgroup_parent: config.cgroup_parent,
            policy: config.policy,
            faults: Faults::new(config.fault),
            runtimes: RwLock::new(config.runtimes),
            index: RwLock::default(),
        }
    }

    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index<Arc<Shared>>> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index<Arc<Shared>>> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn runtimes(&self) -> RwLockReadGuard<'_, Runtimes> {
        self.runtimes.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn containers_dir(&self) -> PathBuf {
        self.data_root.join("containers")
    }

    pub(crate) fn trash(&self) -> PathBuf {
        self.data_root.join("trash")
    }

    /// The directory of shims' sockets.
    pub(crate) fn shims(&self) -> PathBuf {
        self.run_root.join("shims")
    }

    pub(crate) fn socket(&self, id: &ContainerId) -> PathBuf {
        self.shims().join(format!("{id}.sock"))
    }

    pub(crate) fn paths(&self, id: &ContainerId) -> Paths {
        let directory = self.containers_dir().join(id.as_str());
        Paths {
            log: directory.join(format!("{id}-json.log")),
            hostname: directory.join("hostname"),
            hosts: directory.join("hosts"),
            resolv_conf: directory.join("resolv.conf"),
            upper: directory.join("upper"),
            work: directory.join("work"),
            lowers: Vec::new(),
            volumes: self.volumes.root().to_owned(),
            directory,
        }
    }

    /// Says that a container joined or left its network.
    pub(crate) fn publish_network(&self, view: &ContainerView, action: &str) {
        let (name, kind) = match &view.spec.network.mode {
            NetworkMode::Bridge => ("bridge", "bridge"),
            NetworkMode::Host => ("host", "host"),
            NetworkMode::None => ("none", "null"),
            // It is the other container that has joined.
            NetworkMode::Container(_) => return,
        };
        let attributes = [("container", view.id.as_str()), ("name", name), ("type", kind)];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        self.events.publish(EventKind::Network, action, &network_id(name), attributes);
    }

    /// Says that something happened to a container.
    pub(crate) fn publish(&self, view: &ContainerView, action: impl Into<String>, more: &[(&str, String)]) {
        let mut attributes = view.effective.labels.clone();
        attributes.insert("image".into(), view.spec.image.clone());
        attributes.insert("name".into(), view.name.clone());
        attributes.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.events.publish(EventKind::Container, action, view.id.as_str(), attributes);
    }
}

/// A stable id of a predefined network.
#[must_use]
pub fn network_id(name: &str) -> String {
    let digest = berth_oci::Digest::of(format!("network {name}").as_bytes()).to_string();
    digest.rsplit(':').next().unwrap_or_default().to_owned()
}

/// The exit record of a container's run.
pub(crate) fn exit_record(directory: &Path, run: u64) -> PathBuf {
    directory.join(format!("exit-{run}.json"))
}
