//! A layer's archive, read again: out of the image that keeps it, or made of the directory once more.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::sync::mpsc::sync_channel;

use berth_archive::pack::{Found, Packing, Take, pack};
use berth_archive::{Joined, Output, Pieces, Writer};
use berth_erofs::ARCHIVE_START;
use berth_oci::ChainId;

use super::Layers;
use crate::{Error, Result};

/// Pieces between the archive's maker and its reader.
const QUEUE: usize = 8;

impl Layers {
    /// A layer's archive, uncompressed. `kept`: what the layer's record says of it; without that it is made of the
    /// layer's directory, as one made here was made, by a thread that ends with its reader. Whoever needs to know that
    /// it is the very same verifies it.
    pub(crate) fn open_archive(&self, chain: &ChainId, kept: Option<u64>) -> Result<Box<dyn Read + Send>> {
        match kept {
            Some(length) => {
                let path = self.image(chain);
                let mut file = File::open(&path).map_err(Error::file("opening the layer", &path))?;
                file.seek(SeekFrom::Start(ARCHIVE_START)).map_err(Error::file("reading the layer", &path))?;
                Ok(Box::new(file.take(length)))
            }
            None => {
                let diff = self.diff(chain);
                let directory = File::open(&diff).map_err(Error::file("opening the layer", &diff))?;
                Ok(Box::new(packed(directory, BTreeSet::new())))
            }
        }
    }
}

/// The archive of a layer's directory, without what is `hidden` (paths without a leading slash). Where it cannot be
/// made, its reader is told.
pub(crate) fn packed(directory: File, hidden: BTreeSet<Vec<u8>>) -> impl Read + Send + 'static {
    let (sender, pieces) = sync_channel::<io::Result<Vec<u8>>>(QUEUE);
    std::thread::spawn(move || {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut out = Pieces::new(|piece| sender.send(Ok(piece)).map_err(|_| gone()));
        let made = pack_into(&directory, &hidden, &mut out).and_then(|()| out.finish());
        // Nobody to be told is no harm.
        made.unwrap_or_else(|error| drop(sender.send(Err(error))));
    });
    Joined::new(move || pieces.recv().ok())
}

fn pack_into(upper: &File, hidden: &BTreeSet<Vec<u8>>, out: &mut dyn Output) -> io::Result<()> {
    let mut writer = Writer::new(out);
    let mut choose = |found: &Found<'_>| if hidden.contains(found.path) { Take::Nothing } else { Take::Whole };
    pack(upper.as_fd(), b"", Packing { name: b"", overlay: true, choose: &mut choose }, &mut writer)?;
    writer.finish().map(drop)
}
