//! A container's health: its task takes results up and does what an unhealthy container asks for.

use std::sync::Arc;

use super::Task;
use crate::containers::Containers;
use crate::health::{Health, HealthCheck, HealthStatus, OnFailure, Probe, monitor};
use crate::shared::Reply;
use crate::{Error, Result};

impl Task {
    /// It has been started.
    pub(super) fn reset_health(&mut self) {
        if self.check().is_some() {
            Arc::make_mut(self.health.get_or_insert_default()).begin();
        }
    }

    /// It runs: checks begin, or go on. Call it when readers can see that it runs.
    pub(super) fn watch_health(&mut self) {
        if self.check().is_some() {
            monitor::begin(&self.ground, &self.shared);
        }
    }

    /// It runs no more: as Docker shows it, it is unhealthy, which is no event.
    pub(super) fn end_health(&mut self) {
        if let Some(health) = &mut self.health {
            Arc::make_mut(health).status = HealthStatus::Unhealthy;
        }
    }

    fn check(&self) -> Option<&HealthCheck> {
        let effective = &self.record.effective;
        effective.health.as_ref().filter(|check| check.command(effective.shell.as_deref()).is_some())
    }

    /// A check has been made.
    pub(super) fn checked(&mut self, run: u64, probe: Probe, reply: Reply<Arc<Health>>) {
        let result = self.record_health(run, probe);
        drop(reply.send(result));
    }

    fn record_health(&mut self, run: u64, probe: Probe) -> Result<Arc<Health>> {
        let over = || Error::State(format!("Container {} is not running", self.id));
        if run != self.runs || !self.state.is_alive() {
            return Err(over());
        }
        let started = self.shared.view().started_at();
        let (Some(check), Some(mut health)) = (self.check().cloned(), self.health.take()) else { return Err(over()) };
        let changed = Arc::make_mut(&mut health).record(&check, probe, started);
        self.health = Some(health.clone());
        self.show();
        if let Some(status) = changed {
            self.publish(format!("health_status: {}", status.as_str()), &[]);
            if status == HealthStatus::Unhealthy {
                self.act_on_failure();
            }
        }
        Ok(health)
    }

    /// Does what `--health-on-failure` says.
    fn act_on_failure(&mut self) {
        let (containers, id) = (Containers { ground: self.ground.clone() }, self.id.to_string());
        let action = self.record.spec.health.on_failure;
        match action {
            OnFailure::None => {}
            OnFailure::Kill => {
                self.publish("kill", &[("signal", "9".to_owned())]);
                self.kill_now();
            }
            OnFailure::Restart | OnFailure::Stop => {
                tokio::spawn(async move {
                    let done = match action {
                        OnFailure::Restart => containers.restart(&id, None, None).await,
                        _ => containers.stop(&id, None, None).await,
                    };
                    if let Err(error) = done {
                        tracing::warn!(id, error = error.chain(), "acting on an unhealthy container");
                    }
                });
            }
        }
    }
}
