//! The daemon itself: ping, version, info, events, plugins.

use std::sync::atomic::{AtomicUsize, Ordering};

use berth_api::Filters;
use berth_engine::Subscription;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;

use crate::http::answer::{self, Answer, Content};
use crate::http::error::ApiError;
use crate::http::request::Call;
use crate::steps::{self, Object};
use crate::wire::info::{self, Beside};
use crate::wire::{event, time};

/// How many clients listen to events now.
static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// `GET` and `HEAD /_ping`
pub(crate) async fn ping(_call: Call) -> Result<Answer, ApiError> {
    let mut answer = Answer::new(Content::Whole(Some(Bytes::from_static(b"OK"))));
    answer::set_type(&mut answer, "text/plain; charset=utf-8");
    let headers = answer.headers_mut();
    headers.insert("builder-version", HeaderValue::from_static("1"));
    headers.insert("swarm", HeaderValue::from_static("inactive"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(answer)
}

/// `GET /version`
pub(crate) async fn version(call: Call) -> Result<Answer, ApiError> {
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    Ok(answer::json(StatusCode::OK, &info::version(&kernel, call.daemon.oldest)))
}

/// `GET /info`
pub(crate) async fn info(call: Call) -> Result<Answer, ApiError> {
    let daemon = call.daemon.clone();
    let shown = tokio::task::spawn_blocking(move || -> Result<_, ApiError> {
        let images = daemon.images.list()?.len();
        let live = daemon.live();
        let beside = Beside {
            images,
            listeners: LISTENERS.load(Ordering::Relaxed),
            log_driver: daemon.defaults.log_driver.name(),
            live: &live,
        };
        Ok(info::info(daemon.engine.info()?, &beside))
    });
    let shown = shown.await.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(steps::json(call.version, Object::Info, StatusCode::OK, &shown))
}

/// One client of events: counted while it listens.
struct Listening {
    events: Subscription,
    filters: Filters,
    /// What is before the bound is given at once, and nothing waited for.
    until: Option<Timestamp>,
    prefix: &'static [u8],
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `GET /events`
pub(crate) async fn events(call: Call) -> Result<Answer, ApiError> {
    let filters = call.query.filters()?;
    let (since, until) = (time::bound(call.query.text("since"))?, time::bound(call.query.text("until"))?);
    if since.zip(until).is_some_and(|(since, until)| until < since) {
        return Err(ApiError::invalid("`since` time cannot be after `until` time"));
    }
    let (kind, prefix) = format(call.header("accept"));
    // With only `until`, what is kept counts too, or a bound in the past would mean nothing.
    let since = since.or(until.map(|_| Timestamp::UNIX_EPOCH));
    let events = call.daemon.engine.events().replay(since).await;
    LISTENERS.fetch_add(1, Ordering::Relaxed);
    let listening = Listening { events, filters, until, prefix };
    let lines =
        stream::unfold(listening, |mut listening| async move { Some((next(&mut listening).await?, listening)) });
    Ok(answer::stream(kind, lines))
}

/// The stream's type as the client prefers it, and what stands before each event.
fn format(accept: &str) -> (&'static str, &'static [u8]) {
    match () {
        () if accept.contains("application/json-seq") => ("application/json-seq", b"\x1e"),
        () if accept.contains("application/x-ndjson") => ("application/x-ndjson", b""),
        () if accept.contains("application/jsonl") => ("application/jsonl", b""),
        () => ("application/json", b""),
    }
}

async fn next(listening: &mut Listening) -> Option<Bytes> {
    loop {
        let event = match listening.events.next_past() {
            Some(event) => event,
            None => match listening.until {
                None => listening.events.next().await?,
                Some(until) => {
                    let left = std::time::Duration::try_from(until.duration_since(Timestamp::now())).ok()?;
                    tokio::time::timeout(left, listening.events.next()).await.ok()??
                }
            },
        };
        let in_time = listening.until.is_none_or(|until| event.time <= until);
        if in_time && event::wanted(&event, &listening.filters) {
            let mut line = listening.prefix.to_vec();
            line.extend(serde_json::to_vec(&event::message(&event)).unwrap_or_default());
            line.push(b'\n');
            return Some(Bytes::from(line));
        }
    }
}

/// `GET /plugins`: there are none.
pub(crate) async fn plugins(_call: Call) -> Result<Answer, ApiError> {
    Ok(answer::json(StatusCode::OK, &[(); 0]))
}

/// `GET /plugins/{name}/json` and `DELETE /plugins/{name}`: it is not there.
pub(crate) async fn plugin(call: Call) -> Result<Answer, ApiError> {
    Err(ApiError::not_found(format!("plugin \"{}\" not found", call.name())))
}
