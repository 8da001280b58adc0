//! Starting: the record and the process at the same time; what is acknowledged is both.

use std::sync::Arc;
use std::time::Duration;

use berth_runtime::HostPid;
use berth_state::Durability;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::launch::{Birth, Order, Prepared, launch, prepare};
use super::link::Link;
use super::{Fate, Task};
use crate::ground::{Ground, exit_record};
use crate::shared::{Borrowed, Command, Reply, Shared};
use crate::state::{Change, State};
use crate::{Error, Result};

/// How long a shim and a mount are kept for a start that does not come.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the shim of the run before may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// Makes ready for the start of a container that was just created.
pub(super) fn expect(ground: &Arc<Ground>, shared: &Arc<Shared>) -> JoinHandle<Result<Prepared>> {
    let (ground, view, late) = (ground.clone(), shared.view(), Arc::downgrade(shared));
    tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        if let Some(shared) = late.upgrade() {
            shared.tell(Command::Unprepare);
        }
    });
    tokio::task::spawn_blocking(move || prepare(&ground, &view.id, &view.image_id, &view.paths, view.spec.auto_remove))
}

impl Task {
    /// Gives up what was made ready.
    pub(super) async fn unprepare(&mut self) {
        let Some(prepared) = self.prepared.take() else { return };
        if let Ok(Ok(prepared)) = prepared.await {
            drop(tokio::task::spawn_blocking(move || prepared.discard()).await);
        }
    }

    /// Lends the root of a container that does not run.
    pub(super) async fn lend(&mut self, reply: Reply<Borrowed>) {
        let answer = match self.shared.files.clone().try_lock_owned() {
            _ if self.state.is_alive() => Borrowed::Runs,
            Err(_) => Borrowed::Taken,
            Ok(lease) => {
                self.unprepare().await;
                Borrowed::Lent(lease)
            }
        };
        drop(reply.send(Ok(answer)));
    }

    pub(super) async fn start(&mut self, reply: Reply<()>) -> Fate {
        if let Err(error) = self.may_start() {
            drop(reply.send(Err(error)));
            return Fate::Lives;
        }
        self.history.started_by_hand();
        let started = self.bring_up().await;
        self.keep = false;
        let failed = started.is_err();
        drop(reply.send(started));
        // One that has to be killed first is removed when it has ended.
        if failed && self.record.spec.auto_remove && !self.state.is_alive() {
            return self.finish_removal(Durability::Relaxed).await;
        }
        Fate::Lives
    }

    fn may_start(&self) -> Result<()> {
        match &self.state {
            State::Created { .. } | State::Exited(_) => Ok(()),
            State::Paused { .. } => Err(Error::State("cannot start a paused container, try unpause instead".into())),
            State::Running { .. } | State::Starting { .. } | State::Restarting { .. } => {
                Err(Error::NotModified { id: self.id.to_string(), state: "started" })
            }
            State::Removing(_) | State::Dead { .. } => {
                Err(Error::State("container is marked for removal and cannot be started".into()))
            }
        }
    }

    pub(super) async fn bring_up(&mut self) -> Result<()> {
        // Whoever puts files into it mounted its root for that: they are to be there when it starts.
        let _files = self.shared.files.clone().lock_owned().await;
        self.change(Change::Start(Timestamp::now()));
        self.runs += 1;
        self.out_of_memory = false;
        if let Some(shim) = self.retiring.take() {
            drop(tokio::time::timeout(FAREWELL, shim).await);
        }
        // What could not be made ready is tried again, and then says why it fails.
        let prepared = match self.prepared.take() {
            Some(prepared) => prepared.await.ok().and_then(Result::ok),
            None => None,
        };
        let order = self.order(prepared);
        let (ground, previous) = (self.ground.clone(), exit_record(&self.paths.directory, self.runs - 1));
        // The record says "running" before the process can: a crash in between finds a shim that a record speaks of.
        // Both go at once; the caller waits for the slower one.
        let saved = tokio::spawn(self.save(Durability::Synced));
        let birth = tokio::task::spawn_blocking(move || {
            let birth = launch(&ground, order);
            drop(std::fs::remove_file(previous));
            birth
        });
        let (birth, saved) = (birth.await, saved.await);
        let joined = |e: tokio::task::JoinError| Error::Internal(format!("starting a container: {e}"));
        match birth.map_err(joined)? {
            Ok(birth) => {
                let launched = self.ground.faults.at("start.launched");
                let saved = saved.map_err(joined)?.and(launched).and_then(|()| self.ground.faults.at("start.recorded"));
                self.born(birth, saved)
            }
            Err(error) => {
                self.stillborn(&error).await;
                Err(error)
            }
        }
    }

    fn order(&mut self, prepared: Option<Prepared>) -> Order {
        Order {
            id: self.id.clone(),
            name: self.record.name.clone(),
            spec: Arc::clone(&self.record.spec),
            effective: Arc::clone(&self.record.effective),
            image: self.record.image.clone(),
            paths: self.paths.clone(),
            run: self.runs,
            attach: std::mem::take(&mut self.waiting),
            prepared,
        }
    }

    fn born(&mut self, birth: Birth, saved: Result<()>) -> Result<()> {
        let Birth { connection, launched, endpoint } = birth;
        let at = launched.started_at.parse().unwrap_or_else(|_| Timestamp::now());
        self.change(Change::Started { pid: HostPid(launched.pid), at });
        self.endpoint = endpoint;
        self.link = Some(Link::new(connection).map_err(Error::file("watching the shim of", &self.paths.directory))?);
        self.reset_health();
        self.show();
        if let Err(error) = saved {
            // It runs, but the next daemon would not know: it must not, whatever its policy says.
            self.history.by_hand = true;
            self.kill_now();
            return Err(error);
        }
        self.ground.publish_network(&self.shared.view(), "connect");
        self.ground.volumes.announce_mounted(&self.record.effective.mounts, self.id.as_str());
        self.publish("start", &[]);
        self.watch_health();
        Ok(())
    }

    async fn stillborn(&mut self, error: &Error) {
        // 128 is what Docker shows for a container that failed to start for reasons of its own.
        let code = error.exit_code().filter(|code| *code != 125).map_or(128, i32::from);
        self.change(Change::StartFailed { code, error: error.chain() });
        if let Err(error) = self.save(Durability::Synced).await {
            tracing::error!(id = %self.id, %error, "recording a failed start");
        }
        self.show();
        // It had joined its network before its program was looked for.
        let view = self.shared.view();
        ["connect", "disconnect"].into_iter().for_each(|action| self.ground.publish_network(&view, action));
    }
}
