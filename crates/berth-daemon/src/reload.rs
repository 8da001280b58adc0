//! SIGHUP: the configuration is read again, and what can change without a restart does.

use std::sync::{Arc, PoisonError};

use berth_engine::EventKind;

use crate::daemon::Daemon;
use crate::journal::Dial;
use crate::live::Live;
use crate::options::{DaemonOptions, OptionsError};
use crate::settings::Settings;

/// Reads the file again, together with the command line as it was; a mistake in it is logged and changes nothing.
pub(crate) async fn reload(daemon: &Arc<Daemon>, given: &Settings, dial: &Dial) {
    tracing::info!("reading the configuration again");
    let (daemon, given, dial) = (daemon.clone(), given.clone(), dial.clone());
    let done = tokio::task::spawn_blocking(move || match fresh(given) {
        Ok(live) => apply(&daemon, live, &dial),
        Err(error) => tracing::error!("the configuration stays as it was: {error}"),
    });
    if let Err(error) = done.await {
        tracing::error!(%error, "reading the configuration again");
    }
}

fn fresh(given: Settings) -> Result<Live, OptionsError> {
    DaemonOptions::read(given).map(|options| options.live)
}

fn apply(daemon: &Daemon, live: Live, dial: &Dial) {
    dial.set(live.log_level);
    let before = daemon.live();
    let registries = |live: &Live| (live.registries.clone(), live.concurrent_downloads, live.concurrent_uploads);
    if registries(&before) != registries(&live) {
        daemon.images.reconfigure(live.registries.clone(), live.concurrent_downloads, live.concurrent_uploads);
    }
    daemon.engine.set_runtimes(live.runtimes.clone());
    let live = Arc::new(live);
    *daemon.live.write().unwrap_or_else(PoisonError::into_inner) = live.clone();
    match daemon.engine.info() {
        Ok(info) => {
            let attributes = live.attributes(&info.hostname);
            daemon.engine.events().publish(EventKind::Daemon, "reload", &info.id, attributes);
        }
        Err(error) => tracing::error!(%error, "telling that the configuration was read"),
    }
}
