//! The API's operations as a table, and the way from a request to its handler.
//!
//! Every operation that the API documents is here: served, or refused with a status and a sentence. Operations are
//! found by method and pattern, in order; a name in a pattern takes whatever is there, slashes included, because
//! image names hold them. A test holds the table against the API's own list, and writes `docs/not-yet.md` from it.

mod archive;
mod check;
mod commit;
mod containers;
mod disk_usage;
mod down;
mod exec;
mod figures;
mod history;
mod image_contents;
mod image_events;
mod image_making;
mod images;
mod import;
mod load;
mod log;
mod networks;
mod progress;
mod prune;
mod prune_images;
mod pull;
mod push;
mod registries;
mod save;
mod stdio;
mod system;
mod table;
mod tag;
mod update;
mod volumes;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use berth_api::ApiVersion;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

pub(crate) use table::OPERATIONS;

use crate::daemon::Daemon;
use crate::http::answer::{self, Answer};
use crate::http::connection::Answering;
use crate::http::error::ApiError;
use crate::http::query::{Query, unescape};
use crate::http::request::Call;
use crate::http::takeover::Slot;

/// A handler's answer on its way.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<Answer, ApiError>> + Send>>;

/// What is done with an operation.
pub(crate) enum Action {
    /// It is served.
    Serve(fn(Call) -> Handling),
    /// 501: completes "berth does not … yet".
    NotYet(&'static str),
    /// 503: this node is no swarm manager, which is what an engine without swarm says too.
    Swarm,
}

/// One operation of the API.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With `{name}` for whatever stands there.
    pub(crate) pattern: &'static str,
    pub(crate) action: Action,
}

const NO_SWARM: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect \
                        this node to swarm and try again.";

/// Answers one request; an attach never returns, its connection is taken over instead.
pub(crate) fn respond(daemon: Arc<Daemon>, request: Request<Incoming>, slot: Slot) -> Answering {
    Box::pin(async move {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let mut answer = match dispatch(daemon, request, slot).await {
            Ok(answer) => answer,
            Err(error) => {
                if error.status == StatusCode::INTERNAL_SERVER_ERROR {
                    tracing::error!(%method, path, status = error.status.as_u16(), "{error}");
                } else {
                    tracing::debug!(%method, path, status = error.status.as_u16(), "{error}");
                }
                error.answer()
            }
        };
        answer::sign(&mut answer);
        answer
    })
}

async fn dispatch(daemon: Arc<Daemon>, request: Request<Incoming>, slot: Slot) -> Result<Answer, ApiError> {
    let (head, body) = request.into_parts();
    let path = unescape(head.uri.path(), false);
    let (version, path) = split_version(&path, daemon.oldest)?;
    if head.method == Method::OPTIONS {
        // Asked by browsers before they ask; nothing is allowed to strangers, but the question has an answer.
        return Ok(crate::http::answer::empty(StatusCode::OK));
    }
    let Some((operation, names)) = find(&head.method, path) else {
        return Err(ApiError::not_found("page not found"));
    };
    match operation.action {
        Action::Serve(handler) => {
            let query = Query::parse(head.uri.query().unwrap_or(""));
            handler(Call { daemon, version, names, query, headers: head.headers, body, slot }).await
        }
        Action::NotYet(what) => Err(ApiError::not_yet(what, &format!("{} {}", operation.method, operation.pattern))),
        Action::Swarm => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, NO_SWARM)),
    }
}

/// The version in front of the path, and the path behind it. Old versions are spoken, however old, unless the daemon
/// was told otherwise.
fn split_version(path: &str, oldest: Option<ApiVersion>) -> Result<(ApiVersion, &str), ApiError> {
    let versioned = path.strip_prefix("/v").and_then(|rest| {
        let (version, rest) = rest.split_at(rest.find('/')?);
        Some((version.parse::<ApiVersion>().ok()?, rest))
    });
    let Some((version, rest)) = versioned else { return Ok((ApiVersion::MAX, path)) };
    if version > ApiVersion::MAX {
        let max = ApiVersion::MAX;
        return Err(ApiError::invalid(format!(
            "client version {version} is too new. Maximum supported API version is {max}"
        )));
    }
    if let Some(oldest) = oldest.filter(|oldest| version < *oldest) {
        return Err(ApiError::invalid(format!(
            "client version {version} is too old. Minimum supported API version is {oldest}, please upgrade your client \
             to a newer version"
        )));
    }
    Ok((version, rest))
}

/// The operation, and what stood for its names.
pub(crate) fn find(method: &Method, path: &str) -> Option<(&'static Operation, Vec<String>)> {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    OPERATIONS
        .iter()
        .filter(|operation| operation.method == *method)
        .find_map(|operation| matches(operation.pattern, path).map(|names| (operation, names)))
}

/// What stands for each `{name}`; a name takes as much as it can and is never empty.
fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('{') else { return (pattern == path).then(Vec::new) };
    let (_, after) = rest.split_once('}')?;
    let path = path.strip_prefix(before)?;
    let literal = after.split('{').next().unwrap_or("");
    let mut ends: Vec<usize> = match literal {
        "" => vec![path.len()],
        literal => path.match_indices(literal).map(|(at, _)| at).collect(),
    };
    while let Some(end) = ends.pop() {
        if end > 0
            && let Some(mut names) = matches(after, &path[end..])
        {
            names.insert(0, path[..end].to_owned());
            return Some(names);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        find(&method, path).map(|(operation, names)| (operation.pattern, names))
    }

    #[test]
    fn names_take_slashes() {
        for (method, path, pattern, names) in [
            ("GET", "/images/h:5000/a/b:t/json", "/images/{name}/json", &["h:5000/a/b:t"][..]),
            ("GET", "/images/json/json", "/images/{name}/json", &["json"]),
            ("GET", "/images/json", "/images/json", &[]),
            ("DELETE", "/images/a/b@sha256:0", "/images/{name}", &["a/b@sha256:0"]),
            ("GET", "/containers/json", "/containers/json", &[]),
            ("GET", "/containers//x/json", "/containers/{name}/json", &["/x"]),
            ("POST", "/containers/x/attach", "/containers/{name}/attach", &["x"]),
            ("GET", "/networks/", "/networks", &[]),
            ("DELETE", "/containers/a/checkpoints/b", "/containers/{name}/checkpoints/{checkpoint}", &["a", "b"]),
        ] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(found(method, path), Some((pattern, names)), "{path}");
        }
        for (method, path) in
            [("GET", "/nosuchpath"), ("PATCH", "/containers/json"), ("GET", "/containers/"), ("GET", "/")]
        {
            assert_eq!(found(method, path), None, "{path}");
        }
    }

    /// Every operation that the API documents has a row.
    #[test]
    fn the_table_is_complete() {
        for line in include_str!("../../tests/data/operations-1.51.txt").lines() {
            let (method, pattern) = line.split_once(' ').unwrap();
            let path: String = pattern
                .split('/')
                .map(|part| part.replace('{', "some-").replace('}', ""))
                .collect::<Vec<_>>()
                .join("/");
            let (found, _) = found(method, &path).unwrap_or_else(|| panic!("{line} has no row"));
            assert_eq!(found.matches('/').count(), pattern.matches('/').count(), "{line} goes to {found}");
        }
    }

    #[test]
    fn versions() {
        assert_eq!(split_version("/info", None).unwrap(), (ApiVersion::MAX, "/info"));
        assert_eq!(split_version("/v1.24/info", None).unwrap(), (ApiVersion::new(1, 24), "/info"));
        assert_eq!(split_version("/v1.10/info", None).unwrap(), (ApiVersion::new(1, 10), "/info"));
        assert_eq!(split_version("/volumes", None).unwrap(), (ApiVersion::MAX, "/volumes"));
        assert_eq!(
            split_version("/v1.99/info", None).unwrap_err().message,
            "client version 1.99 is too new. Maximum supported API version is 1.51"
        );
        let oldest = Some(ApiVersion::new(1, 40));
        assert_eq!(
            split_version("/v1.32/info", oldest).unwrap_err().message,
            "client version 1.32 is too old. Minimum supported API version is 1.40, please upgrade your client to a \
             newer version"
        );
        split_version("/v1.40/info", oldest).unwrap();
    }
}
