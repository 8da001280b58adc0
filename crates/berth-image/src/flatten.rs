//! `flatten`: what a container of an image sees, as an image of one layer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use berth_archive::pack::{Packing, Take, pack};
use berth_archive::{Stream, Writer};
use berth_oci::{ChainId, History, ImageConfig, ImageId, Reference, RootFs};
use jiff::Timestamp;

use crate::assembled::{Assembly, Dialect, assemble, layer_of_tar};
use crate::layers::incoming::Arrived;
use crate::store::Inner;
use crate::{Error, Image, ImageStore, Result, snapshot};

const BUFFER: usize = 128 << 10;

impl ImageStore {
    /// Makes an image of one layer that a container sees as it sees this one, durably. Blocks, for as long as copying
    /// it takes.
    ///
    /// # Errors
    /// The image is gone, or cannot be read or written. Nothing is visible then.
    pub fn flatten(&self, image: &Image, name: Option<&Reference>) -> Result<ImageId> {
        self.inner.made_room(flatten(&self.inner, image, name))
    }
}

fn flatten(inner: &Arc<Inner>, image: &Image, name: Option<&Reference>) -> Result<ImageId> {
    let (_lease, record) = inner.lease_image(&image.id)?;
    let root = File::from(snapshot::mount_readonly(&inner.layers.lowers(&image.layers))?);
    let made = layer(inner, &root)?;
    let chain = ChainId::extend(None, &made.diff_id);
    let lease = inner.lease(vec![chain.clone()], vec![made.diff_id.digest().clone()]);
    let layer = match inner.layer(&chain)? {
        Some(there) => there,
        None => {
            let record = made.record(None, made.plain(Dialect::Oci.layer()), false);
            made.settle(&chain)?;
            record
        }
    };
    let mut config = ImageConfig {
        created: Some(Timestamp::now().to_string()),
        rootfs: RootFs { kind: "layers".to_owned(), diff_ids: vec![layer.diff_id.clone()] },
        history: history(&record.config.history, image),
        ..record.config
    };
    for stale in ["container", "container_config"] {
        config.extra.remove(stale);
    }
    assemble(
        inner,
        Assembly { config, layers: vec![(chain, layer)], dialect: Dialect::Oci, parent: None, name: name.cloned() },
        lease,
    )
}

/// The whole tree as one layer, unpacked while it is archived.
fn layer(inner: &Arc<Inner>, root: &File) -> Result<Arrived> {
    let (reader, writer) = io::pipe().map_err(Error::file("making a pipe for", std::path::Path::new("flatten")))?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let mut writer = Writer::new(Stream(BufWriter::with_capacity(BUFFER, writer)));
            let mut choose = |_: &berth_archive::pack::Found<'_>| Take::Whole;
            pack(root.as_fd(), b"", Packing { name: b"", overlay: false, choose: &mut choose }, &mut writer)?;
            let Stream(mut out) = writer.finish()?;
            out.flush()
        });
        let made = layer_of_tar(inner, reader);
        let packed = packing.join().map_err(|_| Error::Content("archiving the image".into()))?;
        // An archive that was cut off can look whole.
        match (made, packed) {
            (Ok(made), Ok(())) => Ok(made),
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(Error::Content(format!("archiving the image: {error}"))),
        }
    })
}

/// The steps so far made this layer together.
fn history(steps: &[History], image: &Image) -> Vec<History> {
    let mut steps: Vec<History> = steps.iter().map(|step| History { empty_layer: true, ..step.clone() }).collect();
    steps.push(History {
        created: Some(Timestamp::now().to_string()),
        created_by: format!("berth image flatten {}", image.id),
        ..History::default()
    });
    steps
}
