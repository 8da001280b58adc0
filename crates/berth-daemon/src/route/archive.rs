//! A container's files: archives in and out, changes, export.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use berth_api::files::FileChange;
use berth_engine::{Archive, ChangeKind, ExtractOptions};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode};
use tokio::sync::mpsc;

use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::http::upload;
use crate::wire::files;

const STAT: &str = "x-docker-container-path-stat";

fn path(call: &Call) -> Result<&str, ApiError> {
    match call.query.text("path") {
        "" => Err(ApiError::invalid("bad parameter: 'path' cannot be empty")),
        path => Ok(path),
    }
}

fn with_stat(mut answer: Answer, stat: &berth_engine::PathStat) -> Answer {
    // The wire type has string keys only, so writing it cannot fail; base64 is a header's text.
    let json = serde_json::to_vec(&files::path_stat(stat)).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_str(&BASE64_STANDARD.encode(json)) {
        answer.headers_mut().insert(STAT, value);
    }
    answer
}

fn tar(archive: Archive) -> Answer {
    let pieces = stream::unfold(archive, |mut archive| async move {
        let piece = archive.next().await?;
        Some((piece.map(Bytes::from), archive))
    });
    answer::fallible("application/x-tar", pieces)
}

/// `HEAD /containers/{name}/archive`
pub(crate) async fn head(call: Call) -> Result<Answer, ApiError> {
    let stat = call.daemon.engine.containers().path_stat(call.name(), path(&call)?).await?;
    Ok(with_stat(answer::empty(StatusCode::OK), &stat))
}

/// `GET /containers/{name}/archive`
pub(crate) async fn get(call: Call) -> Result<Answer, ApiError> {
    let (stat, archive) = call.daemon.engine.containers().archive(call.name(), path(&call)?).await?;
    Ok(with_stat(tar(archive), &stat))
}

/// `PUT /containers/{name}/archive`
pub(crate) async fn put(mut call: Call) -> Result<Answer, ApiError> {
    let options =
        ExtractOptions { keep_kind: call.query.flag("noOverwriteDirNonDir"), own: call.query.flag("copyUIDGID") };
    let (containers, path) = (call.daemon.engine.containers(), path(&call)?.to_owned());
    let (sender, pieces) = mpsc::channel(upload::QUEUE);
    let name = call.name().to_owned();
    let extracted = containers.extract(&name, &path, options, pieces);
    let (extracted, ()) = tokio::join!(extracted, upload::pump(&mut call.body, sender));
    extracted?;
    Ok(answer::empty(StatusCode::OK))
}

/// `GET /containers/{name}/changes`
pub(crate) async fn changes(call: Call) -> Result<Answer, ApiError> {
    let changes = call.daemon.engine.containers().changes(call.name()).await?;
    let shown: Vec<FileChange> = changes
        .into_iter()
        .map(|change| FileChange {
            path: change.path,
            kind: match change.kind {
                ChangeKind::Modified => 0,
                ChangeKind::Added => 1,
                ChangeKind::Deleted => 2,
            },
        })
        .collect();
    // Docker has null where nothing has changed.
    Ok(answer::json(StatusCode::OK, &(!shown.is_empty()).then_some(shown)))
}

/// `GET /containers/{name}/export`
pub(crate) async fn export(call: Call) -> Result<Answer, ApiError> {
    let archive = call.daemon.engine.containers().export(call.name()).await?;
    let mut answer = tar(archive);
    answer::set_type(&mut answer, "application/octet-stream");
    Ok(answer)
}
