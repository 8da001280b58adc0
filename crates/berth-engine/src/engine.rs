//! The engine as a whole: opening it, its handles, closing it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_cgroup::Hierarchy;
use berth_network::Networks;
use berth_shim::client::Connection;
use berth_state::{Durability, Store};
use jiff::Timestamp;

use crate::containers::Containers;
use crate::events::Events;
use crate::ground::{Ground, Parts, exit_record};
use crate::host::HostFacts;
use crate::id::ContainerId;
use crate::images::Images;
use crate::info::Info;
use crate::plan::{Seccomp, capabilities};
use crate::policy::Policy;
use crate::record::{ContainerRecord, Phase};
use crate::runtimes::Runtimes;
use crate::spec::{IsolationSpec, MountSpec};
use crate::state::{Change, State};
use crate::task::{ExitRecord, Seed, Task};
use crate::{Error, Result, Volumes, apparmor, info, sweep, volumes};

/// What an engine is made of. The daemon opens the store, the images and the networks, and lends them.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where containers lie (`--data-root`): `containers/<id>/`.
    pub data_root: PathBuf,
    /// Where sockets lie (`--exec-root`): `<boot id>/…`.
    pub exec_root: PathBuf,
    /// The metadata store.
    pub store: Store,
    /// The images.
    pub images: Arc<dyn Images>,
    /// The networks.
    pub networks: Networks,
    /// Parent of the containers' cgroups (`--cgroup-parent`); empty: `/berth`.
    pub cgroup_parent: String,
    /// What the daemon decides for containers that do not.
    pub policy: Policy,
    /// A fault on purpose, for tests; debug builds only.
    pub fault: Option<crate::fault::Fault>,
    /// OCI runtimes besides ours (`--add-runtime`, `--default-runtime`).
    pub runtimes: Runtimes,
}

/// The engine; a cheap clone is the same engine.
#[derive(Debug, Clone)]
pub struct Engine {
    ground: Arc<Ground>,
    /// Held as long as the engine lives: two daemons on one data root would destroy each other's containers.
    _lock: Arc<std::fs::File>,
}

/// How long a shim that lives may take to say so.
const HELLO: Duration = Duration::from_secs(2);

/// How long the shims of containers that are over may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);

impl Engine {
    /// Opens the data root, takes up the containers that run and returns; garbage is swept in the background afterwards.
    ///
    /// # Errors
    /// A data root in use by another daemon, an unreadable store, a host without cgroups.
    pub async fn open(config: EngineConfig) -> Result<Self> {
        let opened = tokio::task::spawn_blocking(move || open(config)).await;
        let (ground, lock, seeds, garbage) =
            opened.map_err(|e| Error::Internal(format!("opening the engine: {e}")))??;
        let mut adopted = Vec::new();
        for seed in seeds {
            let took_up = seed.shim.is_some();
            let task = Task::new(ground.clone(), seed)?;
            if took_up {
                adopted.push(task.shared());
            }
            tokio::spawn(task.run());
        }
        settle(&adopted).await;
        let background = ground.clone();
        tokio::task::spawn_blocking(move || after_ready(&background, garbage));
        Ok(Self { ground, _lock: Arc::new(lock) })
    }

    /// The containers.
    #[must_use]
    pub fn containers(&self) -> Containers {
        Containers { ground: self.ground.clone() }
    }

    /// The volumes.
    #[must_use]
    pub fn volumes(&self) -> Volumes {
        Volumes { shelf: self.ground.volumes.clone() }
    }

    /// The events, to publish and to subscribe to.
    #[must_use]
    pub fn events(&self) -> Events {
        self.ground.events.clone()
    }

    /// Other runtimes from now on; containers that run are not touched.
    pub fn set_runtimes(&self, runtimes: Runtimes) {
        *self.ground.runtimes.write().unwrap_or_else(std::sync::PoisonError::into_inner) = runtimes;
    }

    /// What the host can do, read when the engine was opened.
    #[must_use]
    pub fn host(&self) -> &HostFacts {
        &self.ground.host
    }

    /// What `info` tells. Blocks for some reads of `/proc`.
    ///
    /// # Errors
    /// When the data root's identity cannot be written.
    pub fn info(&self) -> Result<Info> {
        info::gather(&self.ground, &self.containers().list())
    }

    /// An orderly end: containers go on; where none runs, the network and the cgroup parent are taken down. The
    /// engine is of no use afterwards.
    pub async fn shutdown(&self) {
        let ground = self.ground.clone();
        // A container that ended a moment ago has a cgroup, which its shim is about to remove.
        let mut leaving = ground.leaving.subscribe();
        drop(tokio::time::timeout(FAREWELL, leaving.wait_for(|shims| *shims == 0)).await);
        let idle = !self.containers().list().iter().any(|view| view.state.is_alive());
        let down = move || {
            if let Err(error) = ground.networks.shutdown() {
                tracing::warn!(%error, "taking the network down");
            }
            if idle {
                sweep::remove_cgroup_parent(&ground);
            }
        };
        drop(tokio::task::spawn_blocking(down).await);
        self.ground.events.flush().await;
    }
}

/// Waits until each container that was taken up has said where it stands, so that the first answer is true.
async fn settle(adopted: &[Arc<crate::shared::Shared>]) {
    let all = async {
        for shared in adopted {
            let mut watch = shared.watch();
            drop(watch.wait_for(|view| !matches!(view.state, State::Starting { .. })).await);
        }
    };
    if tokio::time::timeout(HELLO, all).await.is_err() {
        tracing::warn!("a shim does not answer");
    }
}

type Opened = (Arc<Ground>, std::fs::File, Vec<Seed>, sweep::Garbage);

fn open(config: EngineConfig) -> Result<Opened> {
    for directory in [config.data_root.join("containers"), config.data_root.join("trash")] {
        make_private(&directory)?;
    }
    let lock = lock(&config.data_root)?;
    let hierarchy = Hierarchy::detect().map_err(|e| Error::Internal(format!("looking for cgroups: {e}")))?;
    let mut host = HostFacts::read(&hierarchy)?;
    if host.apparmor {
        host.apparmor_default = apparmor::load_default(&config.data_root);
    }
    let program = berth_runtime::own_program().map_err(|e| Error::Internal(e.to_string()))?;
    let hierarchy_value = serde_json::to_value(&hierarchy).map_err(|e| Error::Internal(e.to_string()))?;
    let ground = Arc::new(Ground::new(Parts { config, host, hierarchy, hierarchy_value, program }));
    make_private(&ground.shims())?;
    let (seeds, known) = take_up(&ground)?;
    let running: Vec<String> = seeds.iter().filter(|s| s.shim.is_some()).map(|s| s.id.to_string()).collect();
    ground.networks.reconcile(&running)?;
    ground.volumes.reconcile(&known.iter().map(|id| (id.clone(), running.contains(id))).collect())?;
    ground.images.retain(&|container| known.contains(container));
    let garbage = sweep::find(&ground, &known);
    Ok((ground, lock, seeds, garbage))
}

fn make_private(directory: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o711).create(directory);
    made.map_err(Error::file("making", directory))
}

fn lock(data_root: &Path) -> Result<std::fs::File> {
    let path = data_root.join("daemon.lock");
    let file = std::fs::File::create(&path).map_err(Error::file("making", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::DataRootInUse(data_root.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(Error::File { doing: "locking", path, source }),
    }
}

/// Every recorded container that exists still, with its shim where one lives.
fn take_up(ground: &Ground) -> Result<(Vec<Seed>, BTreeSet<String>)> {
    let records = ground.store.read(|reader| reader.list::<ContainerRecord>())?;
    let (mut seeds, mut known, mut changed, mut gone) = (Vec::new(), BTreeSet::new(), Vec::new(), Vec::new());
    for (key, record) in records {
        let Some(id) = ContainerId::parse(&key) else { continue };
        let record = record.brought_up();
        let seed = recover(ground, id, record, &mut changed);
        // A container to be removed on exit that has exited, or is of another boot, is no more.
        if seed.record.spec.auto_remove && seed.shim.is_none() && !matches!(seed.record.phase, Phase::Created { .. })
            || seed.record.spec.auto_remove && seed.record.boot_id != ground.host.boot_id
        {
            gone.push(seed);
            continue;
        }
        ground.index_mut().reserve(&seed.record.name, &seed.id)?;
        known.insert(key);
        seeds.push(seed);
    }
    let lost: Vec<(String, Vec<MountSpec>)> =
        gone.into_iter().map(|seed| (seed.id.to_string(), seed.record.effective.mounts)).collect();
    ground.store.write(Durability::Relaxed, move |tx| {
        for (key, record) in &changed {
            tx.put(key, record)?;
        }
        for (key, mounts) in &lost {
            tx.delete::<ContainerRecord>(key)?;
            volumes::forget_in(tx, key, mounts)?;
        }
        Ok(())
    })?;
    Ok((seeds, known))
}

/// What became of a container while no daemon was there.
fn recover(
    ground: &Ground,
    id: ContainerId,
    mut record: ContainerRecord,
    changed: &mut Vec<(String, ContainerRecord)>,
) -> Seed {
    let should_run = matches!(record.phase, Phase::Running { .. });
    if let Ok(connection) = Connection::connect(&ground.socket(&id)) {
        if let Some(shim) = connection.peer() {
            ground.images.adopt(shim);
        }
        if !should_run {
            // Started, and the daemon died before that was recorded: it runs all the same.
            let before = Box::new(record.phase.clone());
            record.phase = Phase::Running { since: Timestamp::now(), before };
        }
        return Seed { id, record, shim: Some(connection), expect_start: false };
    }
    let missed = should_run;
    if missed {
        let directory = ground.paths(&id).directory;
        let end = ExitRecord::read(&exit_record(&directory, record.runs)).unwrap_or_else(ExitRecord::unknown);
        let state = record.phase.clone().into_state();
        let change = Change::Exited { code: end.code, oom_killed: end.oom_killed, at: end.time(), again: None };
        if let Ok(state) = state.apply(change) {
            record.phase = Phase::of(&state);
        }
        if record.boot_id == ground.host.boot_id {
            sweep::kill_cgroup(ground, &record.spec.resources.cgroup_parent, &id);
        }
    }
    let again = record.resume(missed, record.boot_id == ground.host.boot_id, Timestamp::now());
    if missed || again {
        changed.push((id.to_string(), record.clone()));
    }
    Seed { id, record, shim: None, expect_start: false }
}

/// What nobody waits for.
fn after_ready(ground: &Ground, garbage: sweep::Garbage) {
    sweep::sweep(ground, garbage);
    // The filter most containers get: the first one need not wait for it.
    if ground.host.seccomp
        && let Ok(set) = capabilities::effective(&IsolationSpec::default(), &ground.host)
    {
        drop(ground.filters.bytes(&Seccomp::Default(set)));
    }
}
