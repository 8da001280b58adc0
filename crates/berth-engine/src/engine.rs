//! The engine as a whole: opening it, its handles, closing it.

use std::path::PathBuf;
use std::sync::Arc;

use berth_network::Networks;
use berth_state::Store;

use crate::containers::Containers;
use crate::events::Events;
use crate::images::Images;
use crate::info::Info;
use crate::{Error, Result};

/// What an engine is made of. The daemon opens the store, the images and the networks, and lends them.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where containers lie (`--data-root`): `containers/<id>/`.
    pub data_root: PathBuf,
    /// Where sockets lie (`--exec-root`): `<boot id>/…`.
    pub exec_root: PathBuf,
    /// The metadata store.
    pub store: Store,
    /// The images.
    pub images: Arc<dyn Images>,
    /// The networks.
    pub networks: Networks,
    /// Parent of the containers' cgroups (`--cgroup-parent`); empty: `/berth`.
    pub cgroup_parent: String,
    /// Log options of containers that say none (`--log-opt`).
    pub log_options: std::collections::BTreeMap<String, String>,
    /// Run a small init in every container (`--init`).
    pub init: bool,
}

/// The engine; a cheap clone is the same engine.
#[derive(Debug, Clone)]
pub struct Engine {}

impl Engine {
    /// Opens the data root, takes up the containers that run and returns; garbage is swept in the background afterwards.
    ///
    /// # Errors
    /// A data root in use by another daemon, an unreadable store, a host without cgroups.
    pub async fn open(config: EngineConfig) -> Result<Self> {
        let _ = config;
        Err(Error::NotImplemented("opening the engine".into()))
    }

    /// The containers.
    #[must_use]
    pub fn containers(&self) -> Containers {
        Containers {}
    }

    /// The events, to publish and to subscribe to.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::default()
    }

    /// What `info` tells. Blocks for some reads of `/proc`.
    ///
    /// # Errors
    /// When the host's facts cannot be read.
    pub fn info(&self) -> Result<Info> {
        Err(Error::NotImplemented("info".into()))
    }

    /// An orderly end: containers go on; where none runs, the network and the cgroup parent are taken down. The
    /// engine is of no use afterwards.
    pub async fn shutdown(&self) {}
}
