//! An image made of a container.

use berth_api::files::CommitResponse;
use berth_engine::CommitRequest;
use http::StatusCode;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::wire::files;

/// `POST /commit`
pub(crate) async fn commit(mut call: Call) -> Result<Answer, ApiError> {
    let body = call.bytes().await?;
    let query = &call.query;
    let text = |name: &str| query.text(name).to_owned();
    let request = CommitRequest {
        name: files::reference(query.text("repo"), query.text("tag"))?,
        author: text("author"),
        comment: text("comment"),
        // Unless told not to.
        pause: query.text("pause").is_empty() || query.flag("pause"),
        changes: query.all("changes").into_iter().map(str::to_owned).collect(),
        config: files::config(&body)?,
    };
    let id = call.daemon.engine.containers().commit(query.text("container"), request).await?;
    Ok(answer::json(StatusCode::CREATED, &CommitResponse { id: id.to_string() }))
}
