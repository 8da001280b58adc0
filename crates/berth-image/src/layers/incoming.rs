//! A layer on its way in: from its archive to a name of its own.
//!
//! ```text
//! layers.incoming()?.receive(tar, algorithm)?   whole, under a temporary name; its diff id is known
//!     .sync(&chain)?                            durable
//!     .publish(&chain)?                         visible; the caller writes the record
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use berth_archive::{Limits, UnpackError, Unpacked, unpack};
use berth_erofs::Image;
use berth_oci::{Algorithm, ChainId, DiffId};

use super::driver::Driver;
use super::stream::stream;
use super::{Layers, mounts};
use crate::{Error, Result};

/// A place for a layer; dropped, it goes to the trash with whatever is in it.
#[derive(Debug)]
pub(crate) struct Incoming {
    layers: Layers,
    path: PathBuf,
    place: Place,
    done: bool,
}

#[derive(Debug)]
enum Place {
    Directory,
    Image(File),
}

/// A layer that is whole and has no name yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The digest of its archive.
    pub(crate) diff_id: DiffId,
    /// Bytes of its archive.
    pub(crate) length: u64,
    /// How many entries the archive has.
    pub(crate) entries: u64,
    /// Bytes of its files.
    pub(crate) size: u64,
    incoming: Incoming,
    image: Option<Image>,
}

impl Incoming {
    pub(super) fn new(layers: Layers, path: PathBuf, driver: Driver) -> Result<Self> {
        let place = match driver {
            Driver::Overlay2 => {
                let diff = path.join("diff");
                fs::create_dir_all(&diff).map_err(Error::file("making", &diff))?;
                Place::Directory
            }
            Driver::Erofs => {
                let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
                Place::Image(options.map_err(Error::file("making", &path))?)
            }
        };
        Ok(Self { layers, path, place, done: false })
    }

    /// Where the files go of one that is a directory.
    pub(crate) fn diff(&self) -> PathBuf {
        self.path.join("diff")
    }

    /// Makes the layer of its archive, uncompressed, which is read to its end. Blocks.
    ///
    /// # Errors
    /// What is wrong with the archive, or what the disk refused.
    pub(crate) fn receive(self, archive: impl Read + Send, algorithm: Algorithm) -> Result<Arrived, UnpackError> {
        let (pump, mut stream) = stream(algorithm);
        std::thread::scope(move |scope| {
            let pumping = std::thread::Builder::new().name("inflate".into()).spawn_scoped(scope, || pump.run(archive));
            pumping.map_err(|e| UnpackError::Archive(e.into()))?;
            // Where this fails the stream goes with it, and the pump finds that nobody wants more.
            let (Unpacked { entries, size }, image) = self.write(&mut stream)?;
            let (digest, length) = stream.finish();
            Ok(Arrived { diff_id: DiffId(digest), length, entries, size, incoming: self, image })
        })
    }

    fn write(&self, archive: impl BufRead) -> Result<(Unpacked, Option<Image>), UnpackError> {
        match &self.place {
            Place::Directory => Ok((unpack(archive, &self.diff(), Limits::default())?, None)),
            Place::Image(file) => {
                let image = Image::write(archive, file, Limits::default())?;
                Ok((image.unpacked(), Some(image)))
            }
        }
    }
}

impl Arrived {
    /// Bytes of the archive where the layer keeps it as it came: for the layer's record.
    pub(crate) fn archive(&self) -> Option<u64> {
        self.image.as_ref().map(Image::archive)
    }

    /// Makes it durable under its temporary name. Tells whether with it everything is that was written to this file
    /// system before. Blocks.
    ///
    /// # Errors
    /// The disk refused.
    pub(crate) fn sync(&self, chain: &ChainId) -> Result<bool> {
        let path = &self.incoming.path;
        match (&self.incoming.place, &self.image) {
            (Place::Image(file), Some(image)) => {
                let sealed = image.seal(file, mounts::identity(chain)).and_then(|()| file.sync_all());
                sealed.map_err(Error::file("syncing", path)).map(|()| false)
            }
            _ => self.incoming.layers.sync().map(|()| true),
        }
    }

    /// Gives it its name; it is durable already. Whatever has that name unrecorded is replaced.
    ///
    /// # Errors
    /// The disk refused; it is gone then.
    pub(crate) fn publish(mut self, chain: &ChainId) -> Result<()> {
        let Incoming { layers, path, place, done } = &mut self.incoming;
        let driver = if matches!(place, Place::Image(_)) { Driver::Erofs } else { Driver::Overlay2 };
        layers.rename(path, chain, driver)?;
        *done = true;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.done {
            self.layers.trash(&self.path);
            self.layers.empty_trash();
        }
    }
}
