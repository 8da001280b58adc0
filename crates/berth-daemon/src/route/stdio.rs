//! Attach and wait.

use berth_api::container::WaitError;
use berth_api::{ApiVersion, WaitResponse};
use berth_engine::{AttachOptions, Attachment, Containers, WaitCondition};
use bytes::Bytes;
use futures_util::stream;

use super::log;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::http::takeover::{self, Opened, Takeover};
use crate::steps::{self, Object};

/// `POST /containers/{name}/attach`
pub(crate) async fn attach(call: Call) -> Result<Answer, ApiError> {
    let query = &call.query;
    let options = AttachOptions {
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        logs: query.flag("logs"),
        stream: query.flag("stream"),
        detach_keys: query.text("detachKeys").to_owned(),
    };
    let stdin = options.stdin && options.stream;
    let attachment = call.daemon.engine.containers().attach(call.name(), options).await?;
    take_over(&call, attachment, stdin).await
}

/// Hands the connection over to an attachment; never returns.
async fn take_over(call: &Call, attachment: Attachment, stdin: bool) -> Result<Answer, ApiError> {
    let head = takeover::head(&call.headers, call.version, attachment.tty);
    let opened = opened(call.daemon.engine.containers(), attachment, stdin);
    let patience = takeover::patience(&call.headers);
    call.slot.put(Takeover { head, patience, open: Box::pin(std::future::ready(opened)) });
    std::future::pending().await
}

/// An attachment as the other side of a connection.
pub(crate) fn opened(containers: Containers, attachment: Attachment, stdin: bool) -> Opened {
    let Attachment { stream, tty, backlog, detach_keys, container } = attachment;
    Opened {
        backlog: backlog.map(|backlog| Box::pin(log::bytes(backlog, log::Shape::plain(tty))) as _),
        stream,
        stdin,
        detach: detach_keys,
        detached: Some(Box::new(move || containers.detached(&container))),
    }
}

/// `POST /containers/{name}/wait`: the head goes out at once, which tells the client that no exit will be missed.
pub(crate) async fn wait(call: Call) -> Result<Answer, ApiError> {
    let condition = match call.query.text("condition") {
        _ if call.version < ApiVersion::new(1, 30) => WaitCondition::NotRunning,
        "" | "not-running" => WaitCondition::NotRunning,
        "next-exit" => WaitCondition::NextExit,
        "removed" => WaitCondition::Removed,
        other => return Err(ApiError::invalid(format!("invalid condition: \"{other}\""))),
    };
    let waiting = call.daemon.engine.containers().wait(call.name(), condition).await?;
    let version = call.version;
    // Of a container that is gone nothing is wrong any more, even if its start had failed.
    let blameless = condition == WaitCondition::Removed;
    let exit = async move {
        let answer = match waiting.await {
            Ok(exit) => WaitResponse {
                status_code: exit.code.into(),
                error: (!exit.error.is_empty() && !blameless).then_some(WaitError { message: exit.error }),
            },
            Err(error) => WaitResponse { status_code: 125, error: Some(WaitError { message: error.to_string() }) },
        };
        let mut text = serde_json::to_vec(&steps::value(version, Object::Wait, &answer)).unwrap_or_default();
        text.push(b'\n');
        Bytes::from(text)
    };
    Ok(answer::stream("application/json", stream::once(exit)))
}
