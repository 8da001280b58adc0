//! Starting again by policy: waiting for the next attempt, making it, calling it off.

use std::sync::atomic::Ordering;
use std::time::Duration;

use berth_state::Durability;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{Fate, Task};
use crate::Result;
use crate::containers::Exit;
use crate::ground::Ground;
use crate::spec::RestartPolicy;
use crate::state::{Change, State};

/// Until the next attempt is due and may be made; without one, for ever. Many are due when a daemon starts: they queue.
pub(super) async fn due(next: Option<Instant>, ground: &Ground) -> Option<OwnedSemaphorePermit> {
    match next {
        Some(at) => {
            tokio::time::sleep_until(at).await;
            ground.restarts.clone().acquire_owned().await.ok()
        }
        None => std::future::pending().await,
    }
}

/// The moment on the clock that nobody sets.
pub(super) fn moment(state: &State) -> Option<Instant> {
    match state {
        State::Restarting { at, .. } => Some(Instant::now() + between(Timestamp::now(), *at)),
        _ => None,
    }
}

/// None where `to` is the earlier one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

impl Task {
    /// A run that began at `since` has ended at `at`: when its policy starts it again.
    pub(super) fn again(&mut self, code: i32, since: Timestamp, at: Timestamp) -> Option<Timestamp> {
        if self.ground.going_down.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let pause = self.history.after(self.record.spec.restart, code, between(since, at))?;
        self.next = Some(Instant::now() + pause);
        Timestamp::now().checked_add(pause).ok()
    }

    /// The pause is over.
    pub(super) async fn start_again(&mut self, turn: Option<OwnedSemaphorePermit>) -> Fate {
        self.next = None;
        if let Err(error) = self.bring_up().await {
            // As with Docker, a start that fails is not tried again.
            tracing::warn!(id = %self.id, error = %error.chain(), "restarting a container");
            self.shared.tell_waiters(&Exit::of(&self.view()), false);
        }
        drop(turn);
        Fate::Lives
    }

    /// It was stopped while it waited.
    pub(super) async fn call_off(&mut self, by_hand: bool) -> Result<()> {
        self.next = None;
        self.history.by_hand |= by_hand;
        self.change(Change::CalledOff);
        let saved = self.save(self.stop_durability()).await;
        self.show();
        self.shared.tell_waiters(&Exit::of(&self.view()), false);
        saved
    }

    /// Somebody is about to end it. Written first where the next daemon goes by it.
    pub(super) async fn mark_by_hand(&mut self) -> Result<()> {
        let known = std::mem::replace(&mut self.history.by_hand, true);
        if known || self.record.spec.restart != RestartPolicy::UnlessStopped {
            return Ok(());
        }
        let saved = self.save(Durability::Synced).await;
        if saved.is_err() {
            self.history.by_hand = false;
        }
        saved
    }

    fn stop_durability(&self) -> Durability {
        match self.record.spec.restart {
            RestartPolicy::UnlessStopped => Durability::Synced,
            _ => Durability::Relaxed,
        }
    }
}
