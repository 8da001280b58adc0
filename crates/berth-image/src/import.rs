//! `import`: an image of one layer, made of an archive of a root file system.

use std::io::{BufReader, Read};
use std::sync::Arc;

use berth_oci::{ContainerConfig, History, ImageConfig, ImageId, Platform, Reference, RootFs};
use jiff::Timestamp;

use crate::Result;
use crate::assembled::{Assembly, Dialect, assemble};
use crate::fresh::Fresh;
use crate::store::Inner;

const BUFFER: usize = 256 << 10;

/// What is to become of an archive.
#[derive(Debug)]
pub struct Import {
    /// What a container of it starts from.
    pub config: ContainerConfig,
    /// Where it comes from, or why.
    pub comment: String,
    /// What it runs on; the host's platform where none is given.
    pub platform: Option<Platform>,
    /// What the image is to be called.
    pub name: Option<Reference>,
}

pub(crate) fn import(inner: &Arc<Inner>, archive: impl Read + Send, import: Import) -> Result<ImageId> {
    let layer = Fresh::of_stream(inner, BufReader::with_capacity(BUFFER, archive))?;
    let mut lease = inner.lease(Vec::new(), vec![layer.blob().digest.clone()]);
    let chain = berth_oci::ChainId::extend(None, layer.diff_id());
    lease.layer(&chain);
    let config = configuration(&import, &layer);
    let layers = vec![layer.publish(inner, None)?];
    assemble(inner, Assembly { config, layers, dialect: Dialect::Oci, parent: None, name: import.name }, lease)
}

fn configuration(import: &Import, layer: &Fresh) -> ImageConfig {
    let now = Timestamp::now().to_string();
    let platform = import.platform.clone().unwrap_or_else(Platform::host);
    let history = History { created: Some(now.clone()), comment: import.comment.clone(), ..History::default() };
    ImageConfig {
        created: Some(now),
        architecture: platform.architecture,
        variant: platform.variant,
        os: platform.os,
        config: import.config.clone(),
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![layer.diff_id().clone()] },
        history: vec![history],
        ..ImageConfig::default()
    }
}
