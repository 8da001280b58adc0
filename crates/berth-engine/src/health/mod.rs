//! Health checks: what was asked for, what is known, and what a result changes. Pure but for [`monitor`], which runs them.
//!
//! A container without a check has nothing of this: no task, no memory, no file.

mod asked;
pub(crate) mod monitor;
mod output;
mod probe;

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use asked::{HealthCheck, OnFailure};

/// Results kept, as many as Docker keeps.
const KEPT: usize = 5;

/// The file in a container's directory that carries its health over a restart of the daemon.
const FILE: &str = "health.json";

/// What the checks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthStatus {
    /// No verdict yet.
    Starting,
    /// The last check succeeded.
    Healthy,
    /// Enough checks in a row failed, or the container does not run.
    Unhealthy,
}

impl HealthStatus {
    /// Docker's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it began.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// 0: healthy; -1: it could not be made, or took too long.
    pub exit_code: i32,
    /// The beginning of what it printed.
    pub output: String,
}

/// The health of a container with a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The latest checks, the newest last.
    pub log: Vec<Probe>,
}

impl Health {
    /// At a start: nothing is known yet; what was logged stays.
    pub(crate) fn begin(&mut self) {
        (self.status, self.failing_streak) = (HealthStatus::Starting, 0);
    }

    /// Takes a result up; gives the verdict where it has changed.
    pub(crate) fn record(
        &mut self,
        check: &HealthCheck,
        probe: Probe,
        started: Option<Timestamp>,
    ) -> Option<HealthStatus> {
        let before = self.status;
        if probe.exit_code == 0 {
            (self.status, self.failing_streak) = (HealthStatus::Healthy, 0);
        } else if !(before == HealthStatus::Starting && check.is_starting(started, probe.start)) {
            self.failing_streak += 1;
            if self.failing_streak >= check.retries() {
                self.status = HealthStatus::Unhealthy;
            }
        }
        if self.log.len() >= KEPT {
            self.log.drain(..=self.log.len() - KEPT);
        }
        self.log.push(probe);
        (self.status != before).then_some(self.status)
    }

    /// What the previous daemon knew.
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(directory.join(FILE)).ok()?).ok()
    }

    /// Leaves it for the next daemon. What is lost with the power is only what the next check finds again.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        let (file, fresh) = (directory.join(FILE), directory.join(".health.json"));
        std::fs::write(&fresh, serde_json::to_vec(self)?)?;
        std::fs::rename(fresh, file)
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { status: HealthStatus::Starting, failing_streak: 0, log: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn probe(at: i64, exit_code: i32) -> Probe {
        let time = Timestamp::from_second(at).unwrap();
        Probe { start: time, end: time, exit_code, output: String::new() }
    }

    /// Exit codes by second, and the verdict after each.
    fn story(check: &HealthCheck, codes: &[(i64, i32)]) -> Vec<HealthStatus> {
        let mut health = Health::default();
        let started = Some(Timestamp::UNIX_EPOCH);
        codes
            .iter()
            .map(|(at, code)| {
                let before = health.status;
                let changed = health.record(check, probe(*at, *code), started);
                assert_eq!(changed.is_some(), before != health.status);
                health.status
            })
            .collect()
    }

    #[test]
    fn failures_in_a_row_make_it_unhealthy_and_one_success_healthy() {
        use HealthStatus::{Healthy, Starting, Unhealthy};
        let check = HealthCheck { retries: 2, ..HealthCheck::default() };
        assert_eq!(story(&check, &[(1, 1), (2, 1), (3, 1), (4, 0)]), [Starting, Unhealthy, Unhealthy, Healthy]);
        assert_eq!(story(&check, &[(1, 0), (2, 1), (3, 0), (4, 1)]), [Healthy; 4]);
        // Three where nothing is said.
        let check = HealthCheck::default();
        assert_eq!(story(&check, &[(1, -1), (2, 7), (3, 1)]), [Starting, Starting, Unhealthy]);
    }

    #[test]
    fn failures_in_the_start_period_do_not_count_until_a_success_ends_it() {
        use HealthStatus::{Healthy, Starting, Unhealthy};
        let check = HealthCheck { retries: 1, start_period: 10 * SECOND, ..HealthCheck::default() };
        assert_eq!(story(&check, &[(1, 1), (9, 1), (10, 1)]), [Starting, Starting, Unhealthy]);
        assert_eq!(story(&check, &[(1, 1), (2, 0), (3, 1)]), [Starting, Healthy, Unhealthy]);
    }

    #[test]
    fn the_last_five_are_kept() {
        let mut health = Health::default();
        for at in 0..8 {
            health.record(&HealthCheck::default(), probe(at, 0), None);
        }
        let kept: Vec<i64> = health.log.iter().map(|probe| probe.start.as_second()).collect();
        assert_eq!(kept, [3, 4, 5, 6, 7]);
    }

    #[test]
    fn the_next_daemon_reads_what_this_one_wrote() {
        let directory = std::env::temp_dir().join(format!("berth-health-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        assert_eq!(Health::read(&directory), None);
        let mut health = Health::default();
        health.record(&HealthCheck::default(), probe(3, 0), None);
        health.write(&directory).unwrap();
        assert_eq!(Health::read(&directory), Some(health));
        std::fs::write(directory.join(FILE), b"{\"status\":").unwrap();
        assert_eq!(Health::read(&directory), None);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
