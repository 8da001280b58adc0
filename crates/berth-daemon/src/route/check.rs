//! `POST /berth/check`, which is ours: is everything here that images and containers need, and is it what it was?

use berth_api::check::{CheckProblem, CheckResponse, CheckWaiting};
use berth_image::{CheckOptions, Checked};
use http::StatusCode;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;

/// `POST /berth/check`: `quick` looks at names and lengths only, `repair` removes what is left over or damaged.
pub(crate) async fn check(call: Call) -> Result<Answer, ApiError> {
    let options = CheckOptions { quick: call.query.flag("quick"), repair: call.query.flag("repair") };
    let daemon = call.daemon.clone();
    let containers = move || {
        let views = daemon.engine.containers().list();
        views.iter().map(|view| (view.image_id.clone(), view.id.to_string())).collect()
    };
    let images = call.daemon.images.clone();
    let checked = tokio::task::spawn_blocking(move || images.check(options, &containers)).await;
    let checked = checked.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(answer::json(StatusCode::OK, &shown(checked)))
}

fn shown(checked: Checked) -> CheckResponse {
    let problem = |problem: berth_image::Problem| CheckProblem {
        kind: problem.kind.to_string(),
        object: problem.object.to_string(),
        why: problem.why,
        hint: problem.hint,
        repaired: problem.repaired,
    };
    let waiting = checked.waiting;
    CheckResponse {
        images: checked.images,
        layers: checked.layers,
        blobs: checked.blobs,
        verified: checked.verified,
        unverified: checked.unverified,
        waiting: CheckWaiting { layers: waiting.layers, blobs: waiting.blobs, bytes: waiting.bytes },
        problems: checked.problems.into_iter().map(problem).collect(),
    }
}
