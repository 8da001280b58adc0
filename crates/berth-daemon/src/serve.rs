//! From options to a daemon that answers, and to its orderly end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use berth_engine::{Engine, EngineConfig};
use berth_image::{ImageStore, PullConfig};
use berth_network::Networks;
use berth_oci::Reference;
use berth_state::Store;
use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::Daemon;
use crate::http::connection;
use crate::http::listen::{Address, Listener};
use crate::options::DaemonOptions;
use crate::pidfile::PidFile;
use crate::ready::Ready;
use crate::route;
use crate::wire::inspect::Facts;

/// How long requests may take to finish when the daemon ends.
const PATIENCE: Duration = Duration::from_secs(3);

/// Requests being answered, attachments not counted.
static ANSWERING: AtomicUsize = AtomicUsize::new(0);

/// Serves until told to end.
pub(crate) async fn serve(options: DaemonOptions) -> anyhow::Result<()> {
    let began = Instant::now();
    let ready = Ready::from_env();
    let mut end = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let _pidfile = PidFile::write(&options.pidfile)?;
    let listeners = listen(&options)?;
    let daemon = Arc::new(open(&options).await?);
    let serving: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(accept(listener, daemon.clone()))).collect();
    tracing::info!(ms = began.elapsed().as_millis(), "ready");
    ready.tell();
    tokio::select! {
        _ = end.0.recv() => {}
        _ = end.1.recv() => {}
    }
    tracing::info!("ending; containers go on");
    for task in serving {
        task.abort();
        // Its listener, and with it the socket's file, is gone when the task is.
        let _ = task.await;
    }
    let until = Instant::now() + PATIENCE;
    while ANSWERING.load(Ordering::Relaxed) > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    daemon.engine.shutdown().await;
    Ok(())
}

fn listen(options: &DaemonOptions) -> anyhow::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for address in &options.addresses {
        listeners.push(Listener::bind(address, &options.group)?);
        tracing::info!("listening on {address}");
        if let Address::Tcp(_) = address {
            tracing::warn!("{address} is open to every user of this host, and each of them is root with it");
        }
    }
    if let Some(address) = &options.optional {
        match Listener::bind(address, &options.group) {
            Ok(listener) => listeners.push(listener),
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
        registries: options.registries.clone(),
        max_concurrent_downloads: options.concurrent_downloads,
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
        log_options: options.defaults.log_options.clone(),
        init: options.defaults.init,
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
        registries: options.registries.clone(),
        debug: options.debug,
        started: jiff::Timestamp::now().to_string(),
    })
}

/// Takes clients in, each in a task of its own.
async fn accept(listener: Listener, daemon: Arc<Daemon>) {
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let daemon = daemon.clone();
                tokio::spawn(connection::serve(stream, move |request, slot| {
                    route::respond(daemon.clone(), request, slot)
                }));
            }
            Err(error) => {
                // Out of descriptors, most likely: better late than never.
                tracing::error!(%error, "accepting a client");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
