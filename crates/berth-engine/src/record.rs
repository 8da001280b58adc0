//! What lies on disk of a container. A type of its own: neither the wire's nor the one in memory.

use berth_state::Record;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::restart::History;
use crate::spec::{ContainerSpec, RestartPolicy};
use crate::state::{ExitStatus, State};
use crate::view::Effective;

/// A container's record, under its id.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) spec: ContainerSpec,
    pub(crate) effective: Effective,
    pub(crate) image_id: String,
    pub(crate) platform: String,
    /// The kernel's boot in which the record was last written; tells what of it can still be true.
    pub(crate) boot_id: String,
    pub(crate) phase: Phase,
    /// How often it was started: names the exit record of the run.
    pub(crate) runs: u64,
    /// What its restart policy goes by.
    #[serde(default)]
    pub(crate) history: History,
}

/// Where it stood when the record was written. Whether it still runs is for its shim to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    Created {
        failed: Option<(i32, String)>,
    },
    /// Written before the shim is started, so that no shim can exist that no record speaks of.
    Running {
        since: Timestamp,
        before: Box<Phase>,
    },
    Exited(ExitStatus),
    /// Ended, and to be started again by its policy.
    Restarting {
        exit: ExitStatus,
        at: Timestamp,
    },
    /// Its removal failed half way.
    Dead {
        exit: Option<ExitStatus>,
        error: String,
    },
}

impl Record for ContainerRecord {
    const KIND: &'static str = "container";
    const VERSION: u32 = 1;
}

impl ContainerRecord {
    /// A daemon begins and finds nothing of it running: what its restart policy makes of that. `missed`: it ended while
    /// no daemon was there. True: it is to be started, as the record then says.
    pub(crate) fn resume(&mut self, missed: bool, same_boot: bool, now: Timestamp) -> bool {
        let exit = match &self.phase {
            Phase::Exited(exit) | Phase::Restarting { exit, .. } => exit.clone(),
            _ => return false,
        };
        let policy = self.spec.restart;
        let again = match self.phase {
            Phase::Restarting { .. } if same_boot => true,
            Phase::Exited(_) if missed && same_boot => {
                self.history.by_hand &= policy == RestartPolicy::UnlessStopped;
                let lasted = exit.finished_at.duration_since(exit.started_at);
                self.history.after(policy, exit.code, lasted.try_into().unwrap_or_default()).is_some()
            }
            _ => self.history.at_daemon_start(policy, exit.code),
        };
        match again {
            true => self.phase = Phase::Restarting { exit, at: now },
            false => self.phase = Phase::Exited(exit),
        }
        again
    }

    /// One that was written before mounts were resolved at create has those that were asked for.
    pub(crate) fn brought_up(mut self) -> Self {
        if self.effective.mounts.is_empty() {
            self.effective.mounts.clone_from(&self.spec.mounts);
        }
        self
    }
}

impl Phase {
    pub(crate) fn of(state: &State) -> Self {
        match state {
            State::Created { failed } => Self::Created { failed: failed.clone() },
            State::Starting { since, before } => Self::Running { since: *since, before: Box::new(Self::of(before)) },
            State::Running { since, .. } | State::Paused { since, .. } => {
                Self::Running { since: *since, before: Box::new(Self::Created { failed: None }) }
            }
            State::Exited(exit) | State::Removing(Some(exit)) => Self::Exited(exit.clone()),
            State::Removing(None) => Self::Created { failed: None },
            State::Restarting { exit, at } => Self::Restarting { exit: exit.clone(), at: *at },
            State::Dead { exit, error } => Self::Dead { exit: exit.clone(), error: error.clone() },
        }
    }

    /// The state of a container that nobody has asked yet: one that should run is `Starting` until its shim says more.
    pub(crate) fn into_state(self) -> State {
        match self {
            Self::Created { failed } => State::Created { failed },
            Self::Running { since, before } => State::Starting { since, before: Box::new(before.into_state()) },
            Self::Exited(exit) => State::Exited(exit),
            Self::Restarting { exit, at } => State::Restarting { exit, at },
            Self::Dead { exit, error } => State::Dead { exit, error },
        }
    }
}
