//! A layer as an archive has it.

use std::io::{self, BufReader, Read};

use berth_oci::{Descriptor, Digest, Hasher, media};

use crate::open::open_layer;
use crate::pull::decompress::{Form, decompress};
use crate::record::LayerRecord;
use crate::store::Inner;
use crate::{Error, Result};

const BUFFER: usize = 256 << 10;

/// A layer, found and measured.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) size: u64,
    media_type: &'static str,
    /// The blob that has it.
    blob: Digest,
    /// The blob is compressed, and the archive has what is in it.
    unpacked: bool,
}

impl Layer {
    /// The blob that the image promises, or else the one that the layer came as: whichever is here and can be read by
    /// everybody. Where there is none, the layer's archive.
    pub(super) fn find(inner: &Inner, promised: Option<&Descriptor>, layer: &LayerRecord) -> Result<Self> {
        for blob in promised.into_iter().chain([&layer.blob]) {
            if !inner.content.contains(&blob.digest) {
                continue;
            }
            let mut head = Vec::new();
            let file = inner.content.open_blob(&blob.digest)?;
            file.take(4).read_to_end(&mut head).map_err(|e| unreadable(&blob.digest, &e))?;
            let media_type = match Form::of(&head) {
                Form::Plain => media::OCI_LAYER,
                Form::Gzip => media::OCI_LAYER_GZIP,
                // Docker before version 23 knows nothing of it.
                Form::Zstd | Form::Bzip2 | Form::Xz => continue,
            };
            let digest = blob.digest.clone();
            return Ok(Self { blob: digest.clone(), digest, size: blob.size, media_type, unpacked: false });
        }
        let digest = layer.diff_id.digest().clone();
        if let Some(size) = layer.archive {
            return Ok(Self { blob: digest.clone(), digest, size, media_type: media::OCI_LAYER, unpacked: false });
        }
        let blob = layer.blob.digest.clone();
        let unpacked = blob != digest;
        let mut found = Self { digest, size: layer.blob.size, media_type: media::OCI_LAYER, blob, unpacked };
        if unpacked {
            let mut data = found.open(inner)?;
            found.size = io::copy(&mut data, &mut io::sink()).map_err(|e| unreadable(&found.blob, &e))?;
        }
        Ok(found)
    }

    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor { digest: self.digest.clone(), size: self.size, ..Descriptor::of(self.media_type, b"") }
    }

    /// Its bytes, which are to be checked when they have been read.
    ///
    /// A blob's file is sent as it is, and whoever reads the archive finds its digest there; what is made anew is
    /// hashed on its way.
    pub(super) fn open(&self, inner: &Inner) -> Result<Checked> {
        let hasher = (!inner.content.contains(&self.digest)).then(|| Hasher::new(self.digest.algorithm()));
        let data = open_layer(inner, &self.blob)?;
        let data: Box<dyn Read + Send> = match self.unpacked {
            true => decompress(BufReader::with_capacity(BUFFER, data)).map_err(|e| unreadable(&self.blob, &e))?,
            false => data,
        };
        Ok(Checked { data, hasher })
    }
}

fn unreadable(blob: &Digest, error: &io::Error) -> Error {
    Error::Content(format!("reading the blob {blob}: {error}"))
}

/// Hashes what is read through it, if need be.
pub(super) struct Checked {
    data: Box<dyn Read + Send>,
    hasher: Option<Hasher>,
}

impl Checked {
    /// Tells whether it was what it should be.
    pub(super) fn check(self, expected: &Digest) -> io::Result<()> {
        match self.hasher.map(Hasher::finish).filter(|actual| actual != expected) {
            None => Ok(()),
            Some(actual) => {
                Err(io::Error::other(format!("the layer {expected} is not what it was: its digest is {actual}")))
            }
        }
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.data.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..got]);
        }
        Ok(got)
    }
}
