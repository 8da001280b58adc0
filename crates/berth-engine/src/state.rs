//! A container's life: the states, what happens to it, and which follows from which. Pure.

use berth_runtime::HostPid;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a container's main process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// As Docker counts: the exit code, or 128 and the signal.
    pub code: i32,
    /// The kernel killed a process of it for want of memory.
    pub oom_killed: bool,
    /// When it had been started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What went wrong besides, where something did.
    #[serde(default)]
    pub error: String,
}

/// Where a container stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Never started, or its last start failed.
    Created {
        /// The failed start's code and sentence.
        failed: Option<(i32, String)>,
    },
    /// Being started: a shim may exist.
    Starting {
        /// When that began.
        since: Timestamp,
        /// What it was before.
        before: Box<State>,
    },
    /// Its main process lives.
    Running {
        /// The main process.
        pid: HostPid,
        /// Since when.
        since: Timestamp,
    },
    /// As [`State::Running`], and frozen.
    Paused {
        /// The main process.
        pid: HostPid,
        /// Since when it runs.
        since: Timestamp,
    },
    /// Its main process has ended, and its restart policy will start it again.
    Restarting {
        /// How it ended.
        exit: ExitStatus,
        /// When the next attempt is due.
        at: Timestamp,
    },
    /// Its main process has ended.
    Exited(ExitStatus),
    /// Being removed; nothing but its end can follow.
    Removing(Option<ExitStatus>),
    /// Its removal failed half way: it can be removed again, and nothing else.
    Dead {
        /// How it had ended, where it had run.
        exit: Option<ExitStatus>,
        /// Why it could not be removed.
        error: String,
    },
}

/// What happens to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A start was asked for.
    Start(Timestamp),
    /// Its main process was born, or a shim that has it was found.
    Started {
        /// The main process.
        pid: HostPid,
        /// When.
        at: Timestamp,
    },
    /// The start failed.
    StartFailed {
        /// `docker run`'s exit code for it.
        code: i32,
        /// One sentence.
        error: String,
    },
    /// It was frozen.
    Paused,
    /// It was thawed.
    Resumed,
    /// Its main process ended.
    Exited {
        /// As Docker counts.
        code: i32,
        /// For want of memory.
        oom_killed: bool,
        /// When.
        at: Timestamp,
        /// When its policy starts it again, if it does.
        again: Option<Timestamp>,
    },
    /// The policy's next attempt is called off.
    CalledOff,
    /// Its removal began.
    Remove,
    /// Its removal failed, too late for it to be what it was.
    RemoveFailed(String),
}

/// The change cannot happen in this state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{change:?} cannot happen to a container that is {status}")]
pub struct IllegalTransition {
    /// What should have happened.
    pub change: Change,
    /// The state's name.
    pub status: &'static str,
}

impl State {
    /// Docker's word for it.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Starting { before, .. } => match **before {
                Self::Exited(_) => "exited",
                Self::Restarting { .. } => "restarting",
                _ => "created",
            },
            Self::Restarting { .. } => "restarting",
            Self::Dead { .. } => "dead",
            Self::Running { .. } => "running",
            Self::Paused { .. } => "paused",
            Self::Exited(_) => "exited",
            Self::Removing(_) => "removing",
        }
    }

    /// Whether its main process lives.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        matches!(self, Self::Running { .. } | Self::Paused { .. })
    }

    /// Whether it is to be shown as running: it is up, or about to be by its policy.
    #[must_use]
    pub fn counts_as_running(&self) -> bool {
        self.is_alive() || self.is_restarting()
    }

    /// Whether its policy is about to start it, or just doing so.
    #[must_use]
    pub fn is_restarting(&self) -> bool {
        match self {
            Self::Restarting { .. } => true,
            Self::Starting { before, .. } => matches!(**before, Self::Restarting { .. }),
            _ => false,
        }
    }

    /// The main process, where it lives.
    #[must_use]
    pub const fn pid(&self) -> Option<HostPid> {
        match self {
            Self::Running { pid, .. } | Self::Paused { pid, .. } => Some(*pid),
            _ => None,
        }
    }

    /// How it last ended, where it has.
    #[must_use]
    pub fn exit(&self) -> Option<&ExitStatus> {
        match self {
            Self::Exited(exit)
            | Self::Restarting { exit, .. }
            | Self::Removing(Some(exit))
            | Self::Dead { exit: Some(exit), .. } => Some(exit),
            Self::Starting { before, .. } => match &**before {
                Self::Restarting { exit, .. } => Some(exit),
                _ => None,
            },
            _ => None,
        }
    }

    /// The state after `change`.
    ///
    /// # Errors
    /// When it cannot happen now; the state stays.
    pub fn apply(&self, change: Change) -> Result<Self, IllegalTransition> {
        match (self, change) {
            (Self::Created { .. } | Self::Exited(_) | Self::Restarting { .. }, Change::Start(since)) => {
                Ok(Self::Starting { since, before: Box::new(self.clone()) })
            }
            (Self::Starting { .. }, Change::Started { pid, at }) => Ok(Self::Running { pid, since: at }),
            (Self::Starting { before, since }, Change::StartFailed { code, error }) => {
                Ok(after_failed_start(before, *since, code, error))
            }
            (Self::Running { pid, since }, Change::Paused) => Ok(Self::Paused { pid: *pid, since: *since }),
            (Self::Paused { pid, since }, Change::Resumed) => Ok(Self::Running { pid: *pid, since: *since }),
            (
                Self::Running { since, .. } | Self::Paused { since, .. } | Self::Starting { since, .. },
                Change::Exited { code, oom_killed, at, again },
            ) => {
                let exit = ExitStatus { code, oom_killed, started_at: *since, finished_at: at, error: String::new() };
                Ok(match again {
                    Some(at) => Self::Restarting { exit, at },
                    None => Self::Exited(exit),
                })
            }
            (Self::Restarting { exit, .. }, Change::CalledOff) => Ok(Self::Exited(exit.clone())),
            (Self::Created { .. }, Change::Remove) => Ok(Self::Removing(None)),
            (Self::Exited(exit) | Self::Restarting { exit, .. }, Change::Remove) => {
                Ok(Self::Removing(Some(exit.clone())))
            }
            (Self::Dead { exit, .. }, Change::Remove) => Ok(Self::Removing(exit.clone())),
            (Self::Removing(exit), Change::RemoveFailed(error)) => Ok(Self::Dead { exit: exit.clone(), error }),
            (_, change) => Err(IllegalTransition { change, status: self.status() }),
        }
    }
}

fn after_failed_start(before: &State, since: Timestamp, code: i32, error: String) -> State {
    match before {
        State::Exited(exit) => State::Exited(ExitStatus { code, error, oom_killed: false, ..exit.clone() }),
        // The code stays that of the run that made the restart necessary, unless that says nothing was wrong.
        State::Restarting { exit, .. } => {
            let code = if exit.code == 0 { code } else { exit.code };
            State::Exited(ExitStatus { code, error, ..exit.clone() })
        }
        State::Created { .. } => State::Created { failed: Some((code, error)) },
        _ => State::Exited(ExitStatus { code, error, oom_killed: false, started_at: since, finished_at: since }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn exit(code: i32) -> ExitStatus {
        ExitStatus { code, oom_killed: false, started_at: at(1), finished_at: at(2), error: String::new() }
    }

    /// Every state against every change: what follows, or that nothing may.
    #[test]
    fn table() {
        let pid = HostPid(7);
        let created = State::Created { failed: None };
        let starting = State::Starting { since: at(1), before: Box::new(created.clone()) };
        let running = State::Running { pid, since: at(1) };
        let paused = State::Paused { pid, since: at(1) };
        let restarting = State::Restarting { exit: exit(3), at: at(4) };
        let exited = State::Exited(exit(3));
        let removing = State::Removing(Some(exit(3)));
        let dead = State::Dead { exit: Some(exit(3)), error: "busy".into() };
        let changes = [
            Change::Start(at(1)),
            Change::Started { pid, at: at(1) },
            Change::StartFailed { code: 127, error: "x".into() },
            Change::Paused,
            Change::Resumed,
            Change::Exited { code: 3, oom_killed: false, at: at(2), again: None },
            Change::Exited { code: 3, oom_killed: false, at: at(2), again: Some(at(4)) },
            Change::CalledOff,
            Change::Remove,
            Change::RemoveFailed("busy".into()),
        ];
        let from = |before: &State| Some(State::Starting { since: at(1), before: Box::new(before.clone()) });
        let some = |state: &State| Some(state.clone());
        let failed = Some(State::Created { failed: Some((127, "x".into())) });
        let (ended, again, gone) = (some(&exited), some(&restarting), some(&removing));
        let (up, frozen, over) = (some(&running), some(&paused), some(&dead));
        let no = || None;
        let table = [
            (&created, [from(&created), no(), no(), no(), no(), no(), no(), no(), Some(State::Removing(None)), no()]),
            (&starting, [no(), up.clone(), failed, no(), no(), ended.clone(), again.clone(), no(), no(), no()]),
            (&running, [no(), no(), no(), frozen, no(), ended.clone(), again.clone(), no(), no(), no()]),
            (&paused, [no(), no(), no(), no(), up, ended.clone(), again, no(), no(), no()]),
            (&restarting, [from(&restarting), no(), no(), no(), no(), no(), no(), ended, gone.clone(), no()]),
            (&exited, [from(&exited), no(), no(), no(), no(), no(), no(), no(), gone.clone(), no()]),
            (&removing, [no(), no(), no(), no(), no(), no(), no(), no(), no(), over]),
            (&dead, [no(), no(), no(), no(), no(), no(), no(), no(), gone, no()]),
        ];
        for (state, row) in table {
            for (change, expected) in changes.iter().zip(row) {
                assert_eq!(state.apply(change.clone()).ok(), expected, "{change:?} on {state:?}");
            }
        }
    }

    #[test]
    fn a_failed_restart_keeps_the_times_and_says_why() {
        let state = State::Exited(exit(0)).apply(Change::Start(at(5))).unwrap();
        assert_eq!(state.status(), "exited");
        let state = state.apply(Change::StartFailed { code: 126, error: "no".into() }).unwrap();
        let after = state.exit().unwrap();
        assert_eq!((after.code, after.error.as_str(), after.finished_at), (126, "no", at(2)));
    }

    #[test]
    fn a_restart_that_fails_says_why_and_is_over() {
        let state = State::Restarting { exit: exit(5), at: at(3) }.apply(Change::Start(at(5))).unwrap();
        assert_eq!((state.status(), state.counts_as_running()), ("restarting", true));
        let state = state.apply(Change::StartFailed { code: 127, error: "no".into() }).unwrap();
        assert_eq!(state, State::Exited(ExitStatus { error: "no".into(), ..exit(5) }));
    }
}
