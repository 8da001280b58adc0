//! Attach and wait.

use std::time::Duration;

use berth_api::container::WaitError;
use berth_api::{ApiVersion, WaitResponse};
use berth_engine::{AttachOptions, Attachment, Containers, LogOptions, WaitCondition};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::log;
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::http::takeover::{self, Backlog, Opened, Takeover};
use crate::http::websocket::{self, Dialect};
use crate::steps::{self, Object};

/// `POST /containers/{name}/attach`
pub(crate) async fn attach(call: Call) -> Result<Answer, ApiError> {
    let options = options(&call);
    let stdin = options.stdin && options.stream;
    let containers = call.daemon.engine.containers();
    let backlog = match call.query.flag("logs") {
        true => Some(Box::pin(before(&call, &options, None).await?) as Backlog),
        false => None,
    };
    let attachment = containers.attach(call.name(), options).await?;
    let head = takeover::head(&call.headers, call.version, attachment.tty);
    let opened = Opened { backlog, ..opened(containers, attachment, stdin) };
    let patience = takeover::patience(&call.headers);
    call.slot.put(Takeover { head, patience, open: takeover::ready(opened), websocket: None });
    std::future::pending().await
}

/// `GET /containers/{name}/attach/ws`: the same through a WebSocket.
pub(crate) async fn attach_websocket(call: Call) -> Result<Answer, ApiError> {
    let head = websocket::head(&call.headers)?;
    let mut options = options(&call);
    // Before 1.42 a WebSocket had all three streams, whatever it asked for; and it asks for none where it says nothing.
    if call.version < ApiVersion::new(1, 42) {
        (options.stdin, options.stdout, options.stderr) = (true, true, true);
    }
    let stdin = options.stdin && options.stream;
    let containers = call.daemon.engine.containers();
    let binary = call.version >= ApiVersion::new(1, 28);
    let backlog = match call.query.flag("logs") {
        true => {
            let before = before(&call, &options, Some(false)).await?;
            Some(Box::pin(before.map(move |part| websocket::wrapped(&part, binary))) as Backlog)
        }
        false => None,
    };
    let attachment = containers.attach(call.name(), options).await?;
    let dialect = Dialect { framed: !attachment.tty, binary };
    let open = takeover::ready(Opened { backlog, ..opened(containers, attachment, stdin) });
    call.slot.put(Takeover { head, patience: Duration::ZERO, open, websocket: Some(dialect) });
    std::future::pending().await
}

fn options(call: &Call) -> AttachOptions {
    let query = &call.query;
    AttachOptions {
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        stream: query.flag("stream"),
        detach_keys: query.text("detachKeys").to_owned(),
    }
}

/// What was logged before; framed unless there is a terminal or the caller says otherwise.
async fn before(
    call: &Call,
    options: &AttachOptions,
    framed: Option<bool>,
) -> Result<impl Stream<Item = Bytes> + Send + use<>, ApiError> {
    let containers = call.daemon.engine.containers();
    let tty = containers.inspect(call.name())?.spec.process.tty;
    let (stdout, stderr) = (options.stdout, options.stderr);
    let options = LogOptions { stdout, stderr, ..LogOptions::default() };
    log::read(&containers, call.name(), options, log::Shape::plain(framed.unwrap_or(!tty))).await
}

/// An attachment as the other side of a connection.
pub(crate) fn opened(containers: Containers, attachment: Attachment, stdin: bool) -> Opened {
    let Attachment { stream, tty: _, detach_keys, container, exec } = attachment;
    Opened {
        backlog: None,
        handed_over: false,
        stream,
        stdin,
        detach: detach_keys,
        detached: Some(Box::new(move || containers.detached(&container, exec.as_ref()))),
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
