//! `POST /berth/stop-all`, which is ours: the host goes down, and every container is to end in an orderly way.

use std::collections::BTreeMap;

use berth_api::container::AllStopped;
use http::StatusCode;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;

/// `POST /berth/stop-all`: answered when the last one has ended.
pub(crate) async fn stop_all(call: Call) -> Result<Answer, ApiError> {
    let mut answer = AllStopped { stopped: Vec::new(), failed: BTreeMap::new() };
    for (name, stopped) in call.daemon.engine.containers().stop_all().await {
        match stopped {
            Ok(()) => answer.stopped.push(name),
            Err(error) => drop(answer.failed.insert(name, error.chain())),
        }
    }
    Ok(answer::json(StatusCode::OK, &answer))
}
