//! `--metrics-addr`: the engine's counters as Prometheus reads them, under Docker's names.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use berth_engine::EventKind;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::daemon::Daemon;

/// What is counted from events on.
#[derive(Debug, Default)]
struct Counts {
    events: AtomicU64,
    actions: [AtomicU64; ACTIONS.len()],
}

/// The actions on containers that Docker counts.
const ACTIONS: [&str; 5] = ["changes", "commit", "create", "delete", "start"];

/// Serves for ever; the caller ends the task.
pub(crate) async fn serve(listener: TcpListener, daemon: Arc<Daemon>) {
    let counts = Arc::new(Counts::default());
    tokio::spawn(count(daemon.clone(), counts.clone()));
    while let Ok((stream, _)) = listener.accept().await {
        let (daemon, counts) = (daemon.clone(), counts.clone());
        let service = hyper::service::service_fn(move |request| answer(request, daemon.clone(), counts.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn count(daemon: Arc<Daemon>, counts: Arc<Counts>) {
    let mut events = daemon.engine.events().subscribe(None);
    while let Some(event) = events.next().await {
        counts.events.fetch_add(1, Ordering::Relaxed);
        let action = if event.action == "destroy" { "delete" } else { event.action.as_str() };
        if event.kind == EventKind::Container
            && let Some(at) = ACTIONS.iter().position(|known| *known == action)
        {
            counts.actions[at].fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    daemon: Arc<Daemon>,
    counts: Arc<Counts>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match request.uri().path() {
        "/metrics" => match tokio::task::spawn_blocking(move || page(&daemon, &counts)).await {
            Ok(Ok(page)) => (StatusCode::OK, page),
            Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => (StatusCode::NOT_FOUND, "404 page not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn page(daemon: &Daemon, counts: &Counts) -> Result<String, berth_engine::Error> {
    let info = daemon.engine.info()?;
    let mut page = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(page, "{name}{labels} {value}");
        }
    };
    let none = String::new;
    let states = [
        ("paused", info.containers.paused),
        ("running", info.containers.running),
        ("stopped", info.containers.stopped),
    ];
    let states = states.map(|(state, count)| (format!("{{state=\"{state}\"}}"), count as u64));
    metric("engine_daemon_container_states_containers", "gauge", "Containers by state", &states);
    let actions: Vec<_> = ACTIONS.iter().zip(&counts.actions).collect();
    let actions: Vec<_> = actions
        .into_iter()
        .map(|(action, count)| (format!("{{action=\"{action}\"}}"), count.load(Ordering::Relaxed)))
        .collect();
    metric("engine_daemon_container_actions_total", "counter", "Actions on containers", &actions);
    let events = counts.events.load(Ordering::Relaxed);
    metric("engine_daemon_events_total", "counter", "Events", &[(none(), events)]);
    metric("engine_daemon_engine_cpus_cpus", "gauge", "CPUs of the host", &[(none(), info.cpus as u64)]);
    metric("engine_daemon_engine_memory_bytes", "gauge", "Memory of the host", &[(none(), info.memory)]);
    let engine = format!(
        "{{architecture={:?},daemon_id={:?},kernel={:?},os={:?},os_type=\"linux\",version={:?}}}",
        info.architecture,
        info.id,
        info.kernel_version,
        info.operating_system,
        crate::wire::info::VERSION
    );
    metric("engine_daemon_engine_info", "gauge", "The engine and its host", &[(engine, 1)]);
    Ok(page)
}
