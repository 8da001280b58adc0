//! From options to a daemon that answers, and to its orderly end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use berth_engine::fault::Fault;
use berth_engine::{Engine, EngineConfig};
use berth_image::{ImageStore, PullConfig};
use berth_network::Networks;
use berth_oci::Reference;
use berth_state::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::Daemon;
use crate::http::activation::Activated;
use crate::http::connection;
use crate::http::listen::{Address, Listener, Terms, Tls};
use crate::journal::Dial;
use crate::options::DaemonOptions;
use crate::pidfile::PidFile;
use crate::ready::Ready;
use crate::wire::inspect::Facts;
use crate::{metrics, reload, route};

/// How long requests may take to finish when the daemon ends.
const PATIENCE: Duration = Duration::from_secs(3);

/// Seconds that a container has which says nothing, and what is added for its killing.
const STOP_TIMEOUT: i64 = 10;
const STOP_GRACE: i64 = 5;

/// Requests being answered, attachments not counted.
static ANSWERING: AtomicUsize = AtomicUsize::new(0);

/// What whoever started this process handed over.
#[derive(Debug)]
pub(crate) struct Inherited {
    ready: Ready,
    activated: Activated,
}

impl Inherited {
    /// To be asked for before anything is opened: a number that stands for nothing inherited would soon stand for
    /// something of our own.
    pub(crate) fn take() -> Self {
        Self { ready: Ready::from_env(), activated: Activated::from_env() }
    }
}

/// Serves until told to end.
pub(crate) async fn serve(options: DaemonOptions, dial: Dial, inherited: Inherited) -> anyhow::Result<()> {
    let Inherited { mut ready, activated } = inherited;
    let began = Instant::now();
    let mut end = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    if let Some(score) = options.oom_score {
        std::fs::write("/proc/self/oom_score_adj", score.to_string()).context("setting --oom-score-adjust")?;
    }
    let _pidfile = PidFile::write(&options.pidfile)?;
    // Whoever finds the API there finds the counters, too.
    let measured = match options.metrics {
        None => None,
        Some(address) => {
            let bound = TcpListener::bind(address).await;
            Some(bound.with_context(|| format!("listening on {address} for metrics"))?)
        }
    };
    let listeners = listen(&options, activated)?;
    let daemon = Arc::new(open(&options).await?);
    let mut serving: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(accept(listener, daemon.clone()))).collect();
    serving.extend(measured.map(|listener| tokio::spawn(metrics::serve(listener, daemon.clone()))));
    tracing::info!(ms = began.elapsed().as_millis(), "ready");
    ready.tell();
    loop {
        tokio::select! {
            _ = end.0.recv() => break,
            _ = end.1.recv() => break,
            _ = hangup.recv() => {
                ready.reloading();
                reload::reload(&daemon, &options.given, &dial).await;
                ready.reloaded();
            }
        }
    }
    ready.stopping();
    let live = daemon.live();
    tracing::info!("ending; containers {}", if live.live_restore { "go on" } else { "are stopped first" });
    for task in serving {
        task.abort();
        // Its listener, and with it the socket's file, is gone when the task is.
        let _ = task.await;
    }
    let until = Instant::now() + PATIENCE;
    while ANSWERING.load(Ordering::Relaxed) > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if !live.live_restore {
        stop_containers(&daemon, live.shutdown_timeout).await;
    }
    daemon.engine.shutdown().await;
    Ok(())
}

/// Ends every container, each within its own time; whoever takes longer than that is left behind and told of.
async fn stop_containers(daemon: &Daemon, least: i64) {
    let containers = daemon.engine.containers();
    let own = containers.list().iter().map(|view| view.effective.stop_timeout.unwrap_or(STOP_TIMEOUT)).max();
    let longest = own.unwrap_or(0).saturating_add(STOP_GRACE).max(least);
    let forever =
        least < 0 || containers.list().iter().any(|view| view.effective.stop_timeout.is_some_and(|own| own < 0));
    let limit = if forever { Duration::MAX } else { Duration::from_secs(longest.unsigned_abs()) };
    match tokio::time::timeout(limit, containers.stop_all()).await {
        Ok(ended) => {
            for (name, error) in ended.into_iter().filter_map(|(name, ended)| Some((name, ended.err()?))) {
                tracing::error!(name, %error, "a container did not end");
            }
        }
        Err(_) => tracing::error!("containers did not end in time, and go on"),
    }
}

fn listen(options: &DaemonOptions, activated: Activated) -> anyhow::Result<Vec<Listener>> {
    let tls = match &options.tls {
        None => None,
        Some(tls) => Some(Tls { acceptor: tls.acceptor()?, verify: tls.verify }),
    };
    let mut terms = Terms { group: options.group.clone(), tls, insisted: options.insisted, activated };
    let mut listeners = Vec::new();
    for address in &options.addresses {
        listeners.extend(Listener::bind(address, &mut terms)?);
        tracing::info!("listening on {address}");
        let guarded = terms.tls.as_ref().is_some_and(|tls| tls.verify);
        if matches!(address, Address::Tcp(_)) && !guarded {
            tracing::warn!(
                "{address} asks nobody for a certificate: everybody who reaches it, each user of this host and every \
                 web page that talks to it included, is root with it"
            );
        }
    }
    if let Some(address) = &options.optional {
        match Listener::bind(address, &mut terms) {
            Ok(bound) => listeners.extend(bound),
            Err(error) => tracing::info!("not listening on {address}: {error}"),
        }
    }
    Ok(listeners)
}

async fn open(options: &DaemonOptions) -> anyhow::Result<Daemon> {
    std::fs::create_dir_all(&options.data_root).with_context(|| format!("creating {}", options.data_root.display()))?;
    let store = Store::open(&options.data_root.join("state.db"))?;
    let embedded = vec![(Reference::parse(berth_hello::REFERENCE)?, berth_hello::archive())];
    let config = PullConfig {
        registries: options.live.registries.clone(),
        max_concurrent_downloads: options.live.concurrent_downloads,
        keep_blobs: options.keep_blobs,
        max_concurrent_uploads: options.live.concurrent_uploads,
        driver: options.driver,
        embedded,
    };
    let images = ImageStore::open(&options.data_root, store.clone(), config)?;
    let networks = Networks::open(&store, options.network.clone())?;
    let engine = Engine::open(EngineConfig {
        data_root: options.data_root.clone(),
        exec_root: options.exec_root.clone(),
        store,
        images: Arc::new(images.clone()),
        networks: networks.clone(),
        cgroup_parent: options.cgroup_parent.clone(),
        policy: options.policy.clone(),
        fault: fault()?,
        runtimes: options.live.runtimes.clone(),
    })
    .await?;
    let info = engine.info()?;
    let cgroup_namespace = if info.cgroup_version == "2" { "private" } else { "host" };
    Ok(Daemon {
        facts: Facts { driver: info.driver.to_owned(), cgroup_namespace: cgroup_namespace.to_owned() },
        engine,
        images,
        networks,
        defaults: options.defaults.clone(),
        live: RwLock::new(Arc::new(options.live.clone())),
        oldest: options.oldest,
        pruning: false.into(),
        started: jiff::Timestamp::now().to_string(),
    })
}

/// What tests want to fail: debug builds only.
fn fault() -> anyhow::Result<Option<Fault>> {
    let asked = std::env::var("BERTH_FAULT").ok().filter(|_| cfg!(debug_assertions));
    asked.map(|text| Fault::parse(&text).with_context(|| format!("BERTH_FAULT={text} is no fault"))).transpose()
}

/// Takes clients in, each in a task of its own.
async fn accept(listener: Listener, daemon: Arc<Daemon>) {
    loop {
        match listener.accept().await {
            Ok(arriving) => {
                let daemon = daemon.clone();
                tokio::spawn(async move {
                    match arriving.greet().await {
                        Ok(stream) => {
                            let respond = move |request, slot| route::respond(daemon.clone(), request, slot);
                            connection::serve(stream, respond).await;
                        }
                        Err(error) => tracing::info!(%error, "a client was not let in"),
                    }
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: better late than never.
                tracing::error!(%error, "accepting a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
