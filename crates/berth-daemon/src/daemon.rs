//! What every handler can reach: the engine, the images, the networks, and a few facts.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

use berth_api::ApiVersion;
use berth_engine::Engine;
use berth_image::ImageStore;
use berth_network::Networks;

use crate::live::Live;
use crate::wire::create::Defaults;
use crate::wire::inspect::Facts;

/// The daemon behind its routes.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) engine: Engine,
    pub(crate) images: ImageStore,
    pub(crate) networks: Networks,
    /// What requests that say nothing get.
    pub(crate) defaults: Defaults,
    pub(crate) facts: Facts,
    /// What a reload changes; replaced as a whole.
    pub(crate) live: RwLock<Arc<Live>>,
    /// Clients below it are refused.
    pub(crate) oldest: Option<ApiVersion>,
    /// A prune is under way.
    pub(crate) pruning: AtomicBool,
    /// When it began, RFC 3339.
    pub(crate) started: String,
}

impl Daemon {
    /// What is configured now.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
