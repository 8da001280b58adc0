//! A container's task: the one writer of its state. Commands come by its inbox, news by its shim's connection.
//!
//! Start reading at [`Task::run`]; starting is `start.rs` and `launch.rs`, ending is `end.rs`.

mod end;
mod health;
mod joined;
mod launch;
mod link;
mod propagation;
mod restart;
mod shim;
mod start;
mod update;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use berth_network::Endpoint;
use berth_oci::ImageId;
use berth_shim::client::Connection;
use berth_shim::protocol::{Response, Streams};
use berth_state::Durability;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::exec::Session;
use crate::ground::Ground;
use crate::health::Health;
use crate::id::ContainerId;
use crate::record::{ContainerRecord, Phase};
use crate::restart::History;
use crate::shared::{Command, Reply, Shared};
use crate::spec::ContainerSpec;
use crate::state::{Change, State};
use crate::view::{ContainerView, Effective, Paths};
use crate::{Error, Result};

use launch::Prepared;
use link::Link;

pub(crate) use end::ExitRecord;
pub(crate) use joined::can_join;
pub(crate) use launch::{missing_source, mount_root};

/// A container at the moment its task begins.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) id: ContainerId,
    pub(crate) record: ContainerRecord,
    /// A shim that lives.
    pub(crate) shim: Option<Connection>,
    /// Make ready for the start that is likely to follow.
    pub(crate) expect_start: bool,
}

/// What an answer of the shim is awaited for.
#[derive(Debug)]
enum Pending {
    Answer(Reply<Response>),
    Done(Reply<()>),
    Pause(Reply<()>),
    Resume(Reply<()>),
    Exec(Arc<Session>, Reply<()>),
    /// Nobody asks.
    Nothing,
}

/// Whether the container is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Gone,
}

pub(crate) struct Task {
    ground: Arc<Ground>,
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Command>,
    id: ContainerId,
    record: Meta,
    state: State,
    runs: u64,
    paths: Paths,
    endpoint: Option<Endpoint>,
    link: Option<Link<Pending>>,
    /// The last run's shim, which is leaving: until it has, the container's cgroup is its.
    retiring: Option<JoinHandle<()>>,
    /// What the first start need not wait for.
    prepared: Option<JoinHandle<Result<Prepared>>>,
    /// Clients that wait for the next start.
    waiting: Vec<(Streams, OwnedFd)>,
    /// Exec sessions that run.
    sessions: Vec<Arc<Session>>,
    /// A restart is under way: do not remove it on exit.
    keep: bool,
    /// What its restart policy goes by.
    history: History,
    /// When the policy's next attempt is due.
    next: Option<tokio::time::Instant>,
    /// Where it has a check and was started once.
    health: Option<Arc<Health>>,
    /// Of this run it was said that its memory ran out.
    out_of_memory: bool,
    /// Its anonymous volumes are to go with it.
    with_volumes: bool,
    /// Who waits for it to be removed once it has exited.
    removal: Vec<Reply<()>>,
}

/// What of a record never changes, but for the name.
struct Meta {
    name: String,
    created: jiff::Timestamp,
    spec: Arc<ContainerSpec>,
    effective: Arc<Effective>,
    image: ImageId,
    platform: String,
    apparmor: String,
}

impl Task {
    /// Makes the container findable, and its task. The caller runs it.
    pub(crate) fn new(ground: Arc<Ground>, seed: Seed) -> Result<Self> {
        let (sender, inbox) = mpsc::unbounded_channel();
        let ContainerRecord { name, created, spec, effective, image_id, platform, phase, runs, history, .. } =
            seed.record;
        let image = ImageId::parse(&image_id).map_err(|e| Error::Internal(format!("the image of {}: {e}", seed.id)))?;
        let apparmor = crate::plan::process::apparmor(&spec, &ground.host).unwrap_or_default();
        let mut paths = ground.paths(&seed.id);
        let lowers = ground.images.layers(&image, seed.id.as_str()).unwrap_or_default();
        paths.lowers = lowers.iter().map(|lower| lower.path().to_owned()).collect();
        if spec.log.driver != crate::spec::LogDriver::JsonFile {
            paths.log = std::path::PathBuf::new();
        }
        let endpoint = ground.networks.endpoint(seed.id.as_str());
        let (spec, effective) = (Arc::new(spec), Arc::new(effective));
        let meta = Meta { name, created, spec, effective, image, platform, apparmor };
        let state = phase.into_state();
        let link =
            seed.shim.map(Link::new).transpose().map_err(Error::file("watching the shim of", &paths.directory))?;
        let health = meta.effective.health.as_ref().and_then(|_| Health::read(&paths.directory)).map(Arc::new);
        let mut view = view(&seed.id, &meta, &state, (runs, history.count), &paths, endpoint.clone(), Vec::new());
        view.health = health.clone();
        let shared = Arc::new(Shared::new(view, sender));
        ground.index_mut().insert(&seed.id, shared.clone());
        let prepared = seed.expect_start.then(|| start::expect(&ground, &shared));
        Ok(Self {
            ground,
            shared,
            inbox,
            id: seed.id,
            record: meta,
            next: restart::moment(&state),
            history,
            state,
            runs,
            paths,
            endpoint,
            link,
            retiring: None,
            prepared,
            waiting: Vec::new(),
            sessions: Vec::new(),
            keep: false,
            health,
            out_of_memory: false,
            with_volumes: false,
            removal: Vec::new(),
        })
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Until the container is removed.
    pub(crate) async fn run(mut self) {
        let mut fate = Fate::Lives;
        while fate == Fate::Lives {
            fate = tokio::select! {
                biased;
                news = shim::next(self.link.as_mut()) => self.hear(news).await,
                command = self.inbox.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => Fate::Gone,
                },
                turn = restart::due(self.next, &self.ground) => self.start_again(turn).await,
            };
        }
    }

    async fn obey(&mut self, command: Command) -> Fate {
        match command {
            Command::Start { reply } => return self.start(reply).await,
            Command::Signal { signal, key, by_hand, reply } => self.signal(signal, &key, by_hand, reply).await,
            Command::Pause { reply } => self.pause(reply),
            Command::Resume { reply } => self.resume(reply),
            Command::Keep { keep } => {
                self.keep = keep;
                if !keep && self.record.spec.auto_remove && matches!(self.state, State::Exited(_)) {
                    return self.finish_removal(Durability::Relaxed).await;
                }
            }
            Command::Attach { streams, stream, reply } => self.attach(streams, stream, reply),
            Command::Exec { session, request, stream, reply } => self.exec(session, request, stream, reply),
            Command::Ask { request, reply } => self.ask(request, reply),
            Command::Checked { run, probe, reply } => self.checked(run, probe, reply),
            Command::Respec { respec, reply } => self.respec(respec, reply).await,
            Command::Borrow { reply } => self.lend(reply).await,
            Command::Unprepare => self.unprepare().await,
            Command::Rename { name, reply } => self.rename(name, reply).await,
            Command::Remove { force, volumes, reply } => return self.remove(force, volumes, reply).await,
        }
        Fate::Lives
    }

    /// The state after `change`; one that cannot happen is a bug and changes nothing.
    fn change(&mut self, change: Change) -> bool {
        match self.state.apply(change) {
            Ok(state) => {
                self.state = state;
                true
            }
            Err(error) => {
                tracing::error!(id = %self.id, %error, "a container's state");
                false
            }
        }
    }

    /// Shows readers what is true now.
    fn show(&self) {
        self.shared.publish(self.view());
    }

    fn view(&self) -> ContainerView {
        let execs = self.sessions.iter().map(|session| session.id.clone()).collect();
        let counts = (self.runs, self.history.count);
        let view = view(&self.id, &self.record, &self.state, counts, &self.paths, self.endpoint.clone(), execs);
        ContainerView { health: self.health.clone(), ..view }
    }

    fn publish(&self, action: impl Into<String>, more: &[(&str, String)]) {
        self.ground.publish(&self.shared.view(), action, more);
    }

    /// The record of what is true now.
    fn record(&self) -> ContainerRecord {
        ContainerRecord {
            name: self.record.name.clone(),
            created: self.record.created,
            spec: (*self.record.spec).clone(),
            effective: (*self.record.effective).clone(),
            image_id: self.record.image.to_string(),
            platform: self.record.platform.clone(),
            boot_id: self.ground.host.boot_id.clone(),
            phase: Phase::of(&self.state),
            runs: self.runs,
            history: self.history.clone(),
        }
    }

    /// Writes the record; `Synced` becomes `Relaxed` for a container that need not survive.
    fn save(&self, durability: Durability) -> impl Future<Output = Result<()>> + Send + 'static {
        let durability = if self.record.spec.auto_remove { Durability::Relaxed } else { durability };
        let (store, id, record) = (self.ground.store.clone(), self.id.clone(), self.record());
        async move { Ok(store.write_async(durability, move |tx| tx.put(id.as_str(), &record)).await?) }
    }

    async fn rename(&mut self, name: String, reply: Reply<()>) {
        let old = std::mem::replace(&mut self.record.name, name);
        let saved = self.save(Durability::Synced).await;
        let mut index = self.ground.index_mut();
        match &saved {
            Ok(()) => index.free(&old),
            Err(_) => {
                let new = std::mem::replace(&mut self.record.name, old.clone());
                index.free(&new);
            }
        }
        drop(index);
        self.show();
        if saved.is_ok() {
            self.publish("rename", &[("oldName", format!("/{old}"))]);
        }
        drop(reply.send(saved));
    }
}

fn view(
    id: &ContainerId,
    meta: &Meta,
    state: &State,
    (runs, restarts): (u64, u32),
    paths: &Paths,
    endpoint: Option<Endpoint>,
    execs: Vec<crate::ExecId>,
) -> ContainerView {
    ContainerView {
        id: id.clone(),
        name: meta.name.clone(),
        created: meta.created,
        spec: meta.spec.clone(),
        effective: meta.effective.clone(),
        image_id: meta.image.clone(),
        platform: meta.platform.clone(),
        state: state.clone(),
        runs,
        restarts,
        endpoint,
        execs,
        paths: paths.clone(),
        apparmor: meta.apparmor.clone(),
        health: None,
    }
}
