//! Commands run in running containers.

use berth_api::ApiVersion;
use berth_api::exec::{ExecConfig, ExecCreated, ExecStart};
use berth_engine::spec::ExecSpec;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::StatusCode;

use super::{containers, log, stdio};
use crate::http::answer::{self, Answer};
use crate::http::error::ApiError;
use crate::http::request::{Call, invalid_json};
use crate::http::takeover::{self, Opened, Takeover};
use crate::wire::exec::{self, WireExec};

/// `POST /containers/{name}/exec`
pub(crate) async fn create(mut call: Call) -> Result<Answer, ApiError> {
    let body = call.required_json().await?;
    let config: ExecConfig = berth_api::decode::from_slice(&body).map_err(|error| invalid_json(&error))?;
    let spec = ExecSpec::try_from(WireExec(config))?;
    let id = call.daemon.engine.containers().exec_create(call.name(), spec).await?;
    Ok(answer::json(StatusCode::CREATED, &ExecCreated { id: id.to_string() }))
}

/// `POST /exec/{id}/start`
pub(crate) async fn start(mut call: Call) -> Result<Answer, ApiError> {
    let start: ExecStart = call.json().await?;
    let containers = call.daemon.engine.containers();
    let view = containers.exec_inspect(call.name())?;
    let size = start.console_size.filter(|_| call.version >= ApiVersion::new(1, 42));
    let options =
        berth_engine::ExecStart { detach: start.detach, console_size: size.map(|[rows, columns]| (rows, columns)) };
    if start.detach {
        containers.exec_start(call.name(), options, None).await?;
        return Ok(answer::empty(StatusCode::OK));
    }
    let (id, tty, stdin) = (call.name().to_owned(), view.spec.tty, view.spec.attach_stdin);
    let open: takeover::Open = Box::new(move |own| {
        Box::pin(async move {
            match containers.exec_start(&id, options, own).await {
                Ok(Some(attachment)) => stdio::opened(containers, attachment, stdin),
                Ok(None) => Opened { handed_over: true, ..Opened::default() },
                Err(error) => failed(&error, tty),
            }
        })
    });
    let head = takeover::head(&call.headers, call.version, tty);
    call.slot.put(Takeover { head, patience: takeover::patience(&call.headers), open, websocket: None });
    std::future::pending().await
}

/// A process that could not be started is told about on its own output: clients take its exit code from inspect.
fn failed(error: &berth_engine::Error, tty: bool) -> Opened {
    tracing::debug!("exec: {}", error.chain());
    let mut text = BytesMut::new();
    log::frame(&mut text, 1, &[error.chain().as_bytes(), b"\r\n"], !tty);
    let text: Bytes = text.freeze();
    Opened { backlog: Some(Box::pin(stream::once(async move { text }))), ..Opened::default() }
}

/// `POST /exec/{id}/resize`
pub(crate) async fn resize(call: Call) -> Result<Answer, ApiError> {
    let (rows, columns) = containers::size(&call)?;
    call.daemon.engine.containers().exec_resize(call.name(), rows, columns).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `GET /exec/{id}/json`
pub(crate) async fn inspect(call: Call) -> Result<Answer, ApiError> {
    let containers = call.daemon.engine.containers();
    containers.exec_settle(call.name()).await?;
    Ok(answer::json(StatusCode::OK, &exec::inspect(&containers.exec_inspect(call.name())?)))
}
