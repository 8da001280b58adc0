//! Who checks: one task for each running container that has a check. It ends with the run, and rests while it is paused.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::probe::{Check, ended, overdue};
use super::{Health, HealthCheck, HealthStatus, Probe};
use crate::containers::Containers;
use crate::ground::Ground;
use crate::id::ContainerId;
use crate::shared::{Command, Shared};
use crate::state::State;
use crate::view::ContainerView;

/// Begins to check a container that runs, if it has a check.
pub(crate) fn begin(ground: &Arc<Ground>, shared: &Arc<Shared>) {
    let view = shared.view();
    let Some(check) = view.effective.health.clone() else { return };
    let Some(command) = check.command(view.effective.shell.as_deref()) else { return };
    let monitor = Monitor {
        containers: Containers { ground: ground.clone() },
        inbox: Arc::downgrade(shared),
        views: shared.watch(),
        container: view.id.clone(),
        run: view.runs,
        check,
        command,
    };
    tokio::spawn(monitor.run());
}

struct Monitor {
    containers: Containers,
    /// Weak: a container that is removed ends its monitor.
    inbox: std::sync::Weak<Shared>,
    views: watch::Receiver<Arc<ContainerView>>,
    container: ContainerId,
    /// Which start of the container this is for.
    run: u64,
    check: HealthCheck,
    command: Vec<String>,
}

fn runs(view: &ContainerView, run: u64) -> bool {
    view.runs == run && matches!(view.state, State::Running { .. })
}

fn over(view: &ContainerView, run: u64) -> bool {
    view.runs != run || !view.state.is_alive()
}

/// Waits until readers see this, or nothing more.
async fn seen(views: &mut watch::Receiver<Arc<ContainerView>>, wanted: impl Fn(&ContainerView) -> bool) {
    drop(views.wait_for(|view| wanted(view)).await);
}

impl Monitor {
    async fn run(mut self) {
        let mut pause = self.first_pause();
        while self.rest(pause).await.is_some() {
            if let Some(probe) = self.probe().await {
                let Some(health) = self.report(probe).await else { return };
                let directory = self.views.borrow().paths.directory.clone();
                let written = health.clone();
                let write = move || written.write(&directory);
                if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                    tracing::debug!(id = %self.container, %error, "writing down a container's health");
                }
                pause = self.pause(health.status);
            }
        }
    }

    fn pause(&self, status: HealthStatus) -> Duration {
        let started = self.views.borrow().started_at();
        self.check.pause(status == HealthStatus::Starting, started, Timestamp::now())
    }

    /// Where the previous daemon has checked, what was left of its pause.
    fn first_pause(&self) -> Duration {
        let view = self.views.borrow().clone();
        let status = view.health.as_ref().map_or(HealthStatus::Starting, |health| health.status);
        let pause = self.pause(status);
        let last = view.health.as_ref().and_then(|health| health.log.last()).map(|probe| probe.end);
        let since = last.max(view.started_at());
        let gone = since.and_then(|since| Duration::try_from(Timestamp::now().duration_since(since)).ok());
        pause.saturating_sub(gone.unwrap_or_default())
    }

    /// Waits; a container that is paused meanwhile is waited for, and then for as long again. `None`: it is over.
    async fn rest(&mut self, pause: Duration) -> Option<()> {
        let run = self.run;
        loop {
            let view = self.views.wait_for(|view| runs(view, run) || over(view, run)).await.ok()?.clone();
            if over(&view, run) {
                return None;
            }
            let until = Instant::now() + pause;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Some(()),
                () = seen(&mut self.views, |view| !runs(view, run)) => {}
            }
        }
    }

    /// One check; `None`: the container was paused or ended before it was over.
    async fn probe(&mut self) -> Option<Probe> {
        let (start, run, limit) = (Timestamp::now(), self.run, self.check.timeout());
        let check = Check { containers: &self.containers, container: &self.container, command: &self.command };
        let session = match check.create().await {
            Ok(session) => session,
            Err(error) if runs(&self.views.borrow(), run) => return Some(ended(start, Err(error))),
            Err(_) => return None,
        };
        tokio::select! {
            result = check.run(&session) => {
                let still = runs(&self.views.borrow(), run);
                return still.then(|| ended(start, result));
            }
            () = tokio::time::sleep(limit) => {}
            () = seen(&mut self.views, |view| !runs(view, run)) => {
                // SIGKILL would thaw it.
                seen(&mut self.views, |view| runs(view, run) || over(view, run)).await;
                check.kill(&session).await;
                return None;
            }
        }
        let probe = overdue(start, limit);
        check.kill(&session).await;
        Some(probe)
    }

    /// Tells the container's task, and gets what is known now.
    async fn report(&self, probe: Probe) -> Option<Arc<Health>> {
        let run = self.run;
        self.inbox.upgrade()?.ask(|reply| Command::Checked { run, probe, reply }).await.ok()
    }
}
