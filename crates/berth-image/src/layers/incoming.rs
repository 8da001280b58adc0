//! A layer on its way in: from its archive to a name of its own.
//!
//! ```text
//! layers.incoming()?.receive(tar, digesting)?   whole, under a temporary name; its diff id is known
//!     .sync(&chain)?                            durable
//!     .publish(&chain)?                         visible; the caller writes the record
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use berth_archive::{Limits, UnpackError, Unpacked, unpack};
use berth_erofs::{ARCHIVE_START, Image};
use berth_oci::{Algorithm, ChainId, Descriptor, DiffId};

use super::digesting::{Archive, Digesting, Taking};
use super::draining::Draining;
use super::driver::Driver;
use super::stream::stream;
use super::{Layers, mounts};
use crate::record::LayerRecord;
use crate::store::now;
use crate::{Error, Result};

/// Bytes that are read at once.
const READ: u64 = 256 << 10;

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

/// A layer that is whole, and of which nobody knows what it is; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Written {
    incoming: Incoming,
    unpacked: Unpacked,
    image: Option<Image>,
    length: u64,
}

/// A layer that is whole and has no name yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The digest of its archive.
    pub(crate) diff_id: DiffId,
    /// Bytes of its archive.
    length: u64,
    /// How many entries the archive has.
    pub(crate) entries: u64,
    /// Bytes of its files.
    size: u64,
    /// The checksum of its archive, where it was taken.
    crc: Option<u32>,
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
    pub(crate) fn receive(
        self,
        archive: impl Read + Send,
        digesting: impl Into<Digesting>,
    ) -> Result<Arrived, UnpackError> {
        let mut taking = Taking::new(digesting.into());
        let written = self.write_down(archive, |piece| taking.take(piece))?;
        let archive = taking.finish(written.length)?;
        Ok(written.called(archive))
    }

    /// As [`Self::receive`], but what it is remains to be found out. `look` is shown all of the archive.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn write_down(
        self,
        archive: impl Read + Send,
        look: impl FnMut(&[u8]) + Send,
    ) -> Result<Written, UnpackError> {
        let (pump, mut stream) = stream();
        std::thread::scope(move |scope| {
            let pump = move || pump.run(archive, look);
            let pumping = std::thread::Builder::new().name("inflate".into()).spawn_scoped(scope, pump);
            pumping.map_err(|e| UnpackError::Archive(e.into()))?;
            // Where this fails the stream goes with it, and the pump finds that nobody wants more.
            let (unpacked, image) = self.write(&mut stream)?;
            Ok(Written { incoming: self, unpacked, image, length: stream.length() })
        })
    }

    fn write(&self, archive: impl BufRead) -> Result<(Unpacked, Option<Image>), UnpackError> {
        match &self.place {
            Place::Directory => Ok((unpack(archive, &self.diff(), Limits::default())?, None)),
            Place::Image(file) => {
                let archive = Draining::new(archive, file, ARCHIVE_START);
                let image = Image::write(archive, file, Limits::default())?;
                Ok((image.unpacked(), Some(image)))
            }
        }
    }
}

impl Written {
    fn called(self, archive: Archive) -> Arrived {
        let (Archive { diff_id, length, crc }, Unpacked { entries, size }) = (archive, self.unpacked);
        Arrived { diff_id, length, entries, size, crc, incoming: self.incoming, image: self.image }
    }

    /// Finds out what it is, by reading its archive again: one that keeps it. Blocks.
    ///
    /// # Errors
    /// It cannot be read, or does not keep its archive.
    pub(crate) fn digested(self, algorithm: Algorithm) -> Result<Arrived> {
        let archive = self.read_again(Taking::new(algorithm.into()));
        let archive = archive.map_err(Error::file("reading the layer", &self.incoming.path))?;
        Ok(self.called(archive))
    }

    fn read_again(&self, mut taking: Taking) -> io::Result<Archive> {
        let Place::Image(file) = &self.incoming.place else { return Err(io::ErrorKind::Unsupported.into()) };
        let mut buffer = vec![0; self.length.min(READ) as usize];
        let mut done = 0;
        while done < self.length {
            let piece = &mut buffer[..(self.length - done).min(READ) as usize];
            file.read_exact_at(piece, ARCHIVE_START + done)?;
            taking.take(piece);
            done += piece.len() as u64;
        }
        taking.finish(done).map_err(io::Error::other)
    }
}

impl Arrived {
    /// What its archive is.
    pub(crate) fn whole(&self) -> Archive {
        Archive { diff_id: self.diff_id.clone(), length: self.length, crc: self.crc }
    }

    /// The blob that is its archive itself.
    pub(crate) fn plain(&self, media_type: &str) -> Descriptor {
        let digest = self.diff_id.digest().clone();
        Descriptor { digest, size: self.length, ..Descriptor::of(media_type, b"") }
    }

    /// Its record upon another layer. `blob`: what it came as; `kept`: that lies beside it.
    pub(crate) fn record(&self, parent: Option<&ChainId>, blob: Descriptor, kept: bool) -> LayerRecord {
        LayerRecord {
            diff_id: self.diff_id.clone(),
            parent: parent.cloned(),
            blob,
            size: self.size,
            created_at: now(),
            kept,
            archive: self.image.as_ref().map(Image::archive),
            crc: self.crc,
        }
    }

    /// Gives it its place, durably. The caller has claimed it before, and writes the record.
    ///
    /// # Errors
    /// The disk refused; it is gone then.
    pub(crate) fn settle(self, chain: &ChainId) -> Result<()> {
        self.sync(chain)?;
        self.publish(chain)
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
