//! `POST /containers/prune`: every container that does not run goes. `GET`, which is ours, says which would.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use berth_api::container::ContainersPruned;
use berth_engine::volumes::disk_usage;
use berth_engine::{ContainerView, EventKind, RemoveOptions};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use jiff::Timestamp;

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::prune::Unwanted;

/// Containers removed at once.
const AT_ONCE: usize = 8;

/// One prune at a time; over when dropped.
struct Turn(Arc<Daemon>);

impl Turn {
    fn take(daemon: &Arc<Daemon>) -> Result<Self, ApiError> {
        match daemon.pruning.swap(true, Ordering::AcqRel) {
            true => Err(ApiError::new(StatusCode::CONFLICT, "a prune operation is already running")),
            false => Ok(Self(daemon.clone())),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pruning.store(false, Ordering::Release);
    }
}

/// `POST /containers/prune`
pub(crate) async fn containers(call: Call) -> Result<Answer, ApiError> {
    let turn = Turn::take(&call.daemon)?;
    let pruned = prune(&call, false).await?;
    let reclaimed = [("reclaimed".to_owned(), pruned.space_reclaimed.to_string())];
    call.daemon.engine.events().publish(EventKind::Container, "prune", "", reclaimed.into());
    drop(turn);
    Ok(answer::json(StatusCode::OK, &pruned))
}

/// `GET /containers/prune`: the answer that `POST` would give, and nothing is done.
pub(crate) async fn would_go(call: Call) -> Result<Answer, ApiError> {
    Ok(answer::json(StatusCode::OK, &prune(&call, true).await?))
}

async fn prune(call: &Call, dry: bool) -> Result<ContainersPruned, ApiError> {
    let unwanted = Unwanted::parse(call.query.filters()?, &[], Timestamp::now())?;
    let mut views = call.daemon.engine.containers().list();
    views.retain(|view| !view.state.counts_as_running() && unwanted.includes(view.created, &view.effective.labels));
    let mut removing = stream::iter(views).map(|view| remove(call.daemon.clone(), view, dry)).buffer_unordered(AT_ONCE);
    let mut pruned = ContainersPruned { containers_deleted: Some(Vec::new()), space_reclaimed: 0 };
    while let Some(removed) = removing.next().await {
        let Some((id, bytes)) = removed else { continue };
        pruned.space_reclaimed += bytes;
        pruned.containers_deleted.get_or_insert_default().push(id);
    }
    Ok(pruned)
}

/// Its id and what it took up, log included; nothing where it is still there.
async fn remove(daemon: Arc<Daemon>, view: Arc<ContainerView>, dry: bool) -> Option<(String, u64)> {
    let directory = view.paths.directory.clone();
    let bytes = tokio::task::spawn_blocking(move || disk_usage(&directory)).await.unwrap_or(0);
    if dry {
        return Some((view.id.to_string(), bytes));
    }
    match daemon.engine.containers().remove(view.id.as_str(), RemoveOptions::default()).await {
        Ok(()) => Some((view.id.to_string(), bytes)),
        Err(error) => {
            // Started or removed by somebody in the meantime, most likely.
            tracing::warn!(id = %view.id, %error, "pruning a container");
            None
        }
    }
}
