//! Starting: the record and the process at the same time; what is acknowledged is both.

use std::sync::Arc;

use berth_runtime::HostPid;
use berth_state::Durability;
use jiff::Timestamp;

use super::launch::{Birth, Order, launch};
use super::link::Link;
use super::{Fate, Task};
use crate::ground::exit_record;
use crate::shared::Reply;
use crate::state::{Change, State};
use crate::{Error, Result};

impl Task {
    pub(super) async fn start(&mut self, reply: Reply<()>) -> Fate {
        if let Err(error) = self.may_start() {
            drop(reply.send(Err(error)));
            return Fate::Lives;
        }
        let started = self.bring_up().await;
        self.keep = false;
        let failed = started.is_err();
        drop(reply.send(started));
        if failed && self.record.spec.auto_remove {
            return self.finish_removal(Durability::Relaxed).await;
        }
        Fate::Lives
    }

    fn may_start(&self) -> Result<()> {
        match &self.state {
            State::Created { .. } | State::Exited(_) => Ok(()),
            State::Paused { .. } => Err(Error::State("cannot start a paused container, try unpause instead".into())),
            State::Running { .. } | State::Starting { .. } => {
                Err(Error::NotModified { id: self.id.to_string(), state: "started" })
            }
            State::Removing(_) => Err(Error::State("container is marked for removal and cannot be started".into())),
        }
    }

    async fn bring_up(&mut self) -> Result<()> {
        self.change(Change::Start(Timestamp::now()));
        self.runs += 1;
        let order = self.order();
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
            Ok(birth) => self.born(birth, saved.map_err(joined)?),
            Err(error) => {
                self.stillborn(&error).await;
                Err(error)
            }
        }
    }

    fn order(&mut self) -> Order {
        Order {
            id: self.id.clone(),
            spec: Arc::clone(&self.record.spec),
            effective: Arc::clone(&self.record.effective),
            image: self.record.image.clone(),
            paths: self.paths.clone(),
            run: self.runs,
            attach: std::mem::take(&mut self.waiting),
        }
    }

    fn born(&mut self, birth: Birth, saved: Result<()>) -> Result<()> {
        let Birth { connection, launched, endpoint } = birth;
        let at = launched.started_at.parse().unwrap_or_else(|_| Timestamp::now());
        self.change(Change::Started { pid: HostPid(launched.pid), at });
        self.endpoint = endpoint;
        self.link = Some(Link::new(connection).map_err(Error::file("watching the shim of", &self.paths.directory))?);
        self.show();
        if let Err(error) = saved {
            // It runs, but the next daemon would not know: it must not.
            self.kill_now();
            return Err(error);
        }
        self.publish("start", &[]);
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
    }
}
