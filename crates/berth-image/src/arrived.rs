//! A layer's archive that has come and is unpacked, and has no name yet.

use std::fs::File;
use std::io::{self, BufReader, Read};

use berth_archive::{Limits, UnpackError, unpack};
use berth_oci::{Algorithm, ChainId, DiffId, Hasher};

use crate::layers::{Incoming, Layers};
use crate::{Error, Result};

/// A layer without a name; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Arrived {
    incoming: Incoming,
    /// What its archive is.
    pub(crate) diff_id: DiffId,
    /// Bytes of its archive.
    pub(crate) length: u64,
    /// Bytes of its files.
    pub(crate) size: u64,
}

impl Layers {
    /// Whether a layer has its archive within itself, byte for byte.
    #[allow(clippy::unused_self, reason = "it depends on the form that layers have here")]
    pub(crate) fn keeps_archive(&self) -> bool {
        false
    }
}

impl Incoming {
    /// Takes a layer's archive, which is read to its end.
    pub(crate) fn receive(self, tar: impl Read + Send, algorithm: Algorithm) -> Result<Arrived, UnpackError> {
        let mut hashed = Hashed { input: tar, hasher: Hasher::new(algorithm), length: 0 };
        let archive = BufReader::with_capacity(128 << 10, &mut hashed);
        let unpacked = unpack(archive, &self.diff(), Limits::default())?;
        let (diff_id, length) = (DiffId(hashed.hasher.finish()), hashed.length);
        Ok(Arrived { incoming: self, diff_id, length, size: unpacked.size })
    }
}

impl Arrived {
    /// Makes it durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let path = self.incoming.diff();
        let directory = File::open(&path).map_err(Error::file("opening", &path))?;
        rustix::fs::syncfs(&directory).map_err(Error::file("syncing", &path))
    }

    /// Gives it its name.
    pub(crate) fn publish(self, chain: &ChainId) -> Result<()> {
        self.incoming.publish(chain)
    }
}

struct Hashed<R> {
    input: R,
    hasher: Hasher,
    length: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.hasher.update(&buffer[..got]);
        self.length += got as u64;
        Ok(got)
    }
}
