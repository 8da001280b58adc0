//! Ending: the exit of the main process, and the container's removal.

use std::collections::BTreeSet;

use berth_oci::ImageId;
use berth_shim::client::ClientError;
use berth_state::Durability;
use jiff::Timestamp;
use serde::Deserialize;

use super::{Fate, Task};
use crate::containers::Exit;
use crate::ground::exit_record;
use crate::record::ContainerRecord;
use crate::shared::Reply;
use crate::spec::{MountKind, MountSpec};
use crate::state::{Change, State};
use crate::volumes::{self, Parting};
use crate::{Error, Result};

/// The code of a container whose end nobody saw, as Docker shows it.
const UNKNOWN: i32 = 255;

/// What a shim leaves behind: how the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ExitRecord {
    pub(crate) code: i32,
    #[serde(default)]
    pub(crate) oom_killed: bool,
    #[serde(default)]
    pub(crate) at: String,
}

impl ExitRecord {
    pub(crate) fn read(path: &std::path::Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(crate) fn unknown() -> Self {
        Self { code: UNKNOWN, oom_killed: false, at: String::new() }
    }

    pub(crate) fn time(&self) -> Timestamp {
        self.at.parse().unwrap_or_else(|_| Timestamp::now())
    }
}

impl Task {
    /// The shim has said, or its record does, that the main process ended.
    pub(super) async fn exited(&mut self, code: i32, oom_killed: bool, at: &str) -> Fate {
        let end = ExitRecord { code, oom_killed, at: at.to_owned() };
        let removed = self.record.spec.auto_remove && !self.keep || !self.removal.is_empty();
        let since = match self.state {
            State::Running { since, .. } | State::Paused { since, .. } | State::Starting { since, .. } => since,
            _ => return Fate::Lives,
        };
        let at = end.time();
        let again = if removed { None } else { self.again(code, since, at) };
        if !self.change(Change::Exited { code, oom_killed, at, again }) {
            return Fate::Lives;
        }
        // The exit record is durable already, so this need not be; of a container about to be removed, nothing need.
        let saved = (!removed).then(|| tokio::spawn(self.save(Durability::Relaxed)));
        let released = self.release_network();
        self.hang_up();
        self.end_health();
        if let Some(saved) = saved
            && let Ok(Err(error)) = saved.await
        {
            tracing::error!(id = %self.id, %error, "recording an exit");
        }
        self.announce_exit(code, oom_killed);
        if let Some(released) = released {
            drop(released.await);
        }
        self.release_volumes().await;
        if removed { self.finish_removal(self.removal_durability()).await } else { Fate::Lives }
    }

    fn announce_exit(&mut self, code: i32, oom_killed: bool) {
        for session in std::mem::take(&mut self.sessions) {
            self.exec_over(&session, 137);
        }
        self.show();
        // A shim of the version before says it at the end only.
        if oom_killed && !std::mem::take(&mut self.out_of_memory) {
            self.publish("oom", &[]);
        }
        let lasted = self.state.exit().map_or(0, |e| e.finished_at.duration_since(e.started_at).as_secs());
        self.publish("die", &[("exitCode", code.to_string()), ("execDuration", lasted.to_string())]);
        self.ground.publish_network(&self.shared.view(), "disconnect");
        self.shared.tell_waiters(&Exit::of(&self.view()), false);
    }

    fn release_network(&mut self) -> Option<tokio::task::JoinHandle<()>> {
        self.endpoint.take()?;
        let (ground, id) = (self.ground.clone(), self.id.clone());
        let release = move || {
            if let Err(error) = ground.networks.release(id.as_str()) {
                tracing::warn!(%id, %error, "giving an address back");
            }
        };
        Some(tokio::task::spawn_blocking(release))
    }

    /// Says that its volumes are not mounted any more; those that are mounts on the host are unmounted by the last.
    async fn release_volumes(&self) {
        let (ground, id, effective) = (self.ground.clone(), self.id.clone(), self.record.effective.clone());
        if ground.volumes.announce_unmounted(&effective.mounts, id.as_str()) {
            let unmount = move || ground.volumes.unmount_all(&effective.mounts, id.as_str());
            drop(tokio::task::spawn_blocking(unmount).await);
        }
    }

    /// The shim has nothing more to say.
    fn hang_up(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        for pending in link.abandon() {
            self.fail(pending, Error::State(format!("Container {} is not running", self.id)));
        }
        self.retiring = Some(link.retire(self.ground.clone()));
    }

    /// The connection broke without a word: the record the shim left says how it ended; without one, nobody knows.
    pub(super) async fn lost(&mut self, error: &ClientError) -> Fate {
        self.hang_up();
        let record = ExitRecord::read(&exit_record(&self.paths.directory, self.runs));
        if record.is_none() {
            tracing::error!(id = %self.id, %error, "the shim is gone without an exit record; killing what it left");
            self.kill_cgroup().await;
        }
        let end = record.unwrap_or_else(ExitRecord::unknown);
        self.exited(end.code, end.oom_killed, &end.at).await
    }

    async fn kill_cgroup(&self) {
        let (ground, id) = (self.ground.clone(), self.id.clone());
        let parent = self.record.spec.resources.cgroup_parent.clone();
        let kill = move || crate::sweep::kill_cgroup(&ground, &parent, &id);
        drop(tokio::task::spawn_blocking(kill).await);
    }

    pub(super) async fn remove(&mut self, force: bool, volumes: bool, reply: Reply<()>) -> Fate {
        self.with_volumes |= volumes;
        if self.state.is_alive() {
            if !force {
                let paused = matches!(self.state, State::Paused { .. });
                let id = self.id.to_string();
                self.with_volumes = false;
                drop(reply.send(Err(if paused { Error::RemovePaused(id) } else { Error::RemoveRunning(id) })));
                return Fate::Lives;
            }
            self.removal.push(reply);
            self.publish("kill", &[("signal", "9".into())]);
            self.kill_now();
            return Fate::Lives;
        }
        if matches!(self.state, State::Restarting { .. }) && !force {
            drop(reply.send(Err(Error::RemoveRestarting(self.id.to_string()))));
            return Fate::Lives;
        }
        self.next = None;
        self.removal.push(reply);
        self.finish_removal(self.removal_durability()).await
    }

    fn removal_durability(&self) -> Durability {
        if self.record.spec.auto_remove { Durability::Relaxed } else { Durability::Synced }
    }

    /// Record first, files after: what no record speaks of is garbage and swept.
    pub(super) async fn finish_removal(&mut self, durability: Durability) -> Fate {
        let (before, exit) = (self.state.clone(), Exit::of(&self.view()));
        self.change(Change::Remove);
        self.show();
        let asked = self.ground.faults.at("remove.asked");
        let forgotten = match asked {
            Ok(()) => self.forget(durability).await,
            Err(refused) => Err(refused),
        };
        let claims = match forgotten {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(id = %self.id, %error, "removing a container");
                self.with_volumes = false;
                self.state = before;
                return self.not_removed(&format!("removing container {}: {}", self.id, error.chain()));
            }
        };
        let name = self.record.name.clone();
        self.unprepare().await;
        let discarded = match self.ground.faults.at("remove.forgotten") {
            Ok(()) => self.discard_files(claims.held).await,
            refused => refused,
        };
        if let Err(error) = discarded {
            return self.died(&error, claims.let_go).await;
        }
        self.ground.index_mut().remove(&self.id, &name);
        self.ground.sessions.forget(&self.id);
        self.publish("destroy", &[]);
        self.shared.tell_waiters(&exit, true);
        for reply in std::mem::take(&mut self.removal) {
            drop(reply.send(Ok(())));
        }
        Fate::Gone
    }

    /// What of it is on disk does not go: it is recorded again, so that somebody can see to it, on the images it had.
    async fn died(&mut self, error: &Error, images: Vec<ImageId>) -> Fate {
        let text =
            format!("container {}: driver \"overlay2\" failed to remove root filesystem: {}", self.id, error.chain());
        self.change(Change::RemoveFailed(text.clone()));
        let (ground, id, record) = (self.ground.clone(), self.id.clone(), self.record());
        let again = move |tx: &mut berth_state::Transaction<'_>| {
            for image in &images {
                ground.images.hold(tx, image, id.as_str())?;
            }
            tx.put(id.as_str(), &record)
        };
        if let Err(error) = self.ground.store.write_async(Durability::Synced, again).await {
            // The next daemon sweeps what no record speaks of.
            tracing::error!(id = %self.id, %error, "recording a removal that failed");
        }
        self.not_removed(&text)
    }

    fn not_removed(&mut self, text: &str) -> Fate {
        self.show();
        for reply in std::mem::take(&mut self.removal) {
            drop(reply.send(Err(Error::Internal(text.to_owned()))));
        }
        Fate::Lives
    }

    /// Removes its record, and with it its claims on images: one write, one wait for the disk.
    async fn forget(&self, durability: Durability) -> Result<Claims> {
        let (id, ground) = (self.id.clone(), self.ground.clone());
        let all = std::iter::once(self.record.image.clone()).chain(mounted_images(&self.record.effective.mounts));
        let (all, store): (BTreeSet<ImageId>, _) = (all.collect(), ground.images.clone());
        let parting = self.part_from_volumes().await?;
        let (used, anonymous) = parting.as_ref().map(Parting::names).unwrap_or_default();
        let delete = move |tx: &mut berth_state::Transaction<'_>| {
            tx.delete::<ContainerRecord>(id.as_str())?;
            let mut claims = Claims::default();
            for image in all {
                let gone = store.release_in(tx, &image, id.as_str())?;
                if gone { claims.let_go.push(image) } else { claims.held.push(image) }
            }
            Ok((volumes::release_in(tx, id.as_str(), &used, &anonymous)?, claims))
        };
        let (gone, claims) = self.ground.store.write_async(durability, delete).await?;
        if let Some(parting) = parting {
            drop(tokio::task::spawn_blocking(move || parting.finish(&ground.volumes, &gone)).await);
        }
        Ok(claims)
    }

    /// Makes sure that nobody comes to need the volumes that go with it. `None`: it has no volumes.
    async fn part_from_volumes(&self) -> Result<Option<Parting>> {
        let (ground, effective) = (self.ground.clone(), self.record.effective.clone());
        if !effective.mounts.iter().any(|mount| matches!(mount.kind, MountKind::Volume(_))) {
            return Ok(None);
        }
        let anonymous = self.with_volumes || self.record.spec.auto_remove;
        let part = move || Parting::begin(&ground.volumes, &effective.mounts, anonymous);
        let parting = tokio::task::spawn_blocking(part).await;
        parting.map(Some).map_err(|e| Error::Internal(format!("removing a container's volumes: {e}")))
    }

    /// `held`: images that are to be released when the files are gone.
    async fn discard_files(&self, held: Vec<ImageId>) -> Result<()> {
        let (ground, id, directory) = (self.ground.clone(), self.id.clone(), self.paths.directory.clone());
        let discard = move || {
            berth_image::snapshot::discard(&directory, &ground.trash()).map_err(crate::images::from_image)?;
            for image in held {
                ground.images.release(&image, id.as_str());
            }
            Ok(())
        };
        let discarded = tokio::task::spawn_blocking(discard).await;
        discarded.map_err(|e| Error::Internal(format!("removing a container's files: {e}")))?
    }
}

/// A removed container's claims on images.
#[derive(Debug, Default)]
struct Claims {
    /// It has no claim on them any more.
    let_go: Vec<ImageId>,
    /// They were deleted by force: what only it had goes with its claim, and not before its files.
    held: Vec<ImageId>,
}

/// The images that are mounted, besides the container's own.
fn mounted_images(mounts: &[MountSpec]) -> Vec<ImageId> {
    let image = |mount: &MountSpec| match &mount.kind {
        MountKind::Image { id, .. } => ImageId::parse(id).ok(),
        _ => None,
    };
    mounts.iter().filter_map(image).collect()
}
