//! The host goes down: every container ends, each within its own time, and its policy knows that nobody meant it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use super::Containers;
use super::life::Ending;
use crate::ground::Ground;
use crate::shared::Shared;
use crate::state::State;
use crate::{Error, Result};

/// Rounds of looking for containers that were started while others were stopped.
const ROUNDS: usize = 3;

/// As long as this lives, nothing is restarted by policy.
struct Rest(Arc<Ground>);

impl Rest {
    fn begin(ground: &Arc<Ground>) -> Self {
        counter(ground).fetch_add(1, Ordering::Relaxed);
        Self(ground.clone())
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        counter(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

fn counter(ground: &Ground) -> &AtomicUsize {
    &ground.going_down
}

impl Containers {
    /// Stops every container that runs or is about to. The next daemon starts those whose policy says so, as after a
    /// loss of power. What became of each, by name.
    pub async fn stop_all(&self) -> Vec<(String, Result<()>)> {
        let rest = Rest::begin(&self.ground);
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            let running: Vec<Arc<Shared>> =
                self.ground.index().values().iter().filter(|shared| is_up(&shared.view().state)).cloned().collect();
            if running.is_empty() {
                break;
            }
            let mut stopping = JoinSet::new();
            for shared in running {
                stopping.spawn(stop(self.clone(), shared));
            }
            all.extend(stopping.join_all().await);
        }
        drop(rest);
        all
    }
}

fn is_up(state: &State) -> bool {
    state.counts_as_running() || matches!(state, State::Starting { .. })
}

async fn stop(containers: Containers, shared: Arc<Shared>) -> (String, Result<()>) {
    let mut watch = shared.watch();
    // One that is being started first has to be there.
    drop(watch.wait_for(|view| !matches!(view.state, State::Starting { .. })).await);
    let name = shared.view().name.clone();
    let ending = Ending { timeout: None, signal: None, by_hand: false };
    let stopped = containers.end(&shared, shared.id.as_str(), ending).await;
    if stopped.is_ok() {
        containers.ground.publish(&shared.view(), "stop", &[]);
    }
    match stopped {
        Err(Error::NotModified { .. } | Error::NoSuchContainer(_)) => (name, Ok(())),
        stopped => (name, stopped),
    }
}
