//! A layer of which nothing is known but its bytes, as load and import have it: what it is called follows from what
//! came.
//!
//! Its bytes are kept exactly as they came, so that it can be sent on: as a blob, or within the layer where the
//! layer's form keeps its archive.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use berth_content::{Draft, Verified};
use berth_oci::{Algorithm, ChainId, Descriptor, DiffId, media};

use crate::error::chain;
use crate::layers::incoming::{Arrived, Written};
use crate::pull::decompress::{Counted, Form, proportioned, told};
use crate::record::LayerRecord;
use crate::store::Inner;
use crate::{Error, Result};

const BUFFER: usize = 256 << 10;

/// A layer that is here and has no name yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Fresh {
    arrived: Arrived,
    /// What it came as.
    blob: Descriptor,
    /// Its blob's file, where the layer cannot give it back by itself.
    kept: Option<Verified>,
}

impl Fresh {
    /// Of an archive, compressed or not, which is read to its end.
    ///
    /// # Errors
    /// It is no layer's archive, it cannot be read, or the disk refuses.
    pub(crate) fn of_stream(inner: &Inner, input: impl BufRead + Send) -> Result<Self> {
        let (form, input) = told(input).map_err(|e| broken(e.to_string()))?;
        match form {
            Form::Plain => Self::of_tar(inner, input),
            Form::Gzip => Self::of_packed(inner, input, form, media::OCI_LAYER_GZIP),
            Form::Zstd => Self::of_packed(inner, input, form, media::OCI_LAYER_ZSTD),
            // No registry takes these: what is kept is what is in them.
            Form::Bzip2 | Form::Xz => {
                let came = Arc::new(AtomicU64::new(0));
                let counted = BufReader::with_capacity(BUFFER, Counted::new(input, came.clone()));
                let plain = form.unpack(counted).map_err(|e| broken(e.to_string()))?;
                Self::of_tar(inner, proportioned(plain, came))
            }
        }
    }

    /// Of an archive that is not compressed, which is read to its end.
    ///
    /// # Errors
    /// As [`Self::of_stream`].
    pub(crate) fn of_tar(inner: &Inner, tar: impl Read + Send) -> Result<Self> {
        let incoming = inner.layers.incoming()?;
        let (arrived, kept) = if inner.layers.keeps_archive() {
            (incoming.receive(tar, Algorithm::Sha256), None)
        } else {
            let mut tee = Tee { input: tar, draft: inner.content.draft(Algorithm::Sha256)? };
            let arrived = incoming.receive(&mut tee, Algorithm::Sha256);
            (arrived, Some(tee.draft.finish()))
        };
        let arrived = arrived.map_err(|e| broken(e.to_string()))?;
        Ok(Self { blob: arrived.plain(media::OCI_LAYER), arrived, kept })
    }

    /// Makes a layer of an archive that is not compressed, where the layer keeps it, and leaves it to
    /// [`Self::of_written`] to find out what it is: that takes longer than writing it.
    ///
    /// # Errors
    /// As [`Self::of_stream`].
    pub(crate) fn write_down(inner: &Inner, tar: impl Read + Send) -> Result<Written> {
        inner.layers.incoming()?.write_down(tar, |_| ()).map_err(|e| broken(e.to_string()))
    }

    /// Of what was written down.
    ///
    /// # Errors
    /// It cannot be read again.
    pub(crate) fn of_written(written: Written) -> Result<Self> {
        let arrived = written.digested(Algorithm::Sha256)?;
        Ok(Self { blob: arrived.plain(media::OCI_LAYER), arrived, kept: None })
    }

    /// Of a compressed archive that is kept as it is, unpacked while it comes.
    fn of_packed(inner: &Inner, input: impl Read + Send, form: Form, media_type: &str) -> Result<Self> {
        let came = Arc::new(AtomicU64::new(0));
        let input = Counted::new(input, came.clone());
        let mut tee = Tee { input, draft: inner.content.draft(Algorithm::Sha256)? };
        let arrived = {
            let plain = form.unpack(BufReader::with_capacity(BUFFER, &mut tee)).map_err(|e| broken(e.to_string()))?;
            inner.layers.incoming()?.receive(proportioned(plain, came), Algorithm::Sha256)
        };
        let arrived = arrived.map_err(|e| broken(e.to_string()))?;
        // What follows the compressed data belongs to the blob.
        io::copy(&mut tee, &mut io::sink()).map_err(|e| broken(e.to_string()))?;
        Ok(Self::with_blob(inner, arrived, tee.draft.finish(), media_type))
    }

    /// Of a blob that is here under no name.
    ///
    /// # Errors
    /// As [`Self::of_stream`].
    pub(crate) fn of_blob(inner: &Inner, blob: Verified) -> Result<Self> {
        let file = blob.open()?;
        // It will have to be durable; whether it can be is found out then.
        let _ = berth_sys::writeback::begin(file.as_fd(), 0, 0);
        let mut file = BufReader::with_capacity(BUFFER, file);
        let form = Form::of(file.fill_buf().map_err(|e| broken(e.to_string()))?);
        let media_type = match form {
            Form::Gzip => media::OCI_LAYER_GZIP,
            Form::Zstd => media::OCI_LAYER_ZSTD,
            Form::Plain | Form::Bzip2 | Form::Xz => return Self::of_stream(inner, file),
        };
        let came = Arc::new(AtomicU64::new(blob.size()));
        let plain = form.unpack(file).map_err(|e| broken(e.to_string()))?;
        let digesting = inner.layers.known().digesting(blob.digest(), Algorithm::Sha256);
        let arrived = inner.layers.incoming()?.receive(proportioned(plain, came), digesting);
        let arrived = arrived.map_err(|e| broken(e.to_string()))?;
        Ok(Self::with_blob(inner, arrived, blob, media_type))
    }

    fn with_blob(inner: &Inner, arrived: Arrived, kept: Verified, media_type: &str) -> Self {
        inner.layers.known().learn(kept.digest(), arrived.whole());
        let blob = Descriptor { digest: kept.digest().clone(), size: kept.size(), ..Descriptor::of(media_type, b"") };
        Self { arrived, blob, kept: Some(kept) }
    }

    /// What its archive is.
    pub(crate) fn diff_id(&self) -> &DiffId {
        &self.arrived.diff_id
    }

    /// What it came as.
    pub(crate) fn blob(&self) -> &Descriptor {
        &self.blob
    }

    /// Gives it its place in a stack, durably. The caller has claimed the layer and its blob before, and writes the
    /// record; a layer that is there already stays as it is.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn publish(self, inner: &Inner, parent: Option<&ChainId>) -> Result<(ChainId, LayerRecord)> {
        let Self { arrived, mut blob, mut kept } = self;
        let chain = ChainId::extend(parent, &arrived.diff_id);
        // Nobody has it but us: what is not kept must be had from the layer.
        if !inner.keep_blobs && inner.layers.keeps_archive() && kept.take().is_some() {
            blob = arrived.plain(media::OCI_LAYER);
        }
        let is_kept = kept.is_some();
        if let Some(kept) = kept.filter(|kept| !inner.content.contains(kept.digest())) {
            kept.publish()?;
        }
        if let Some(there) = inner.layer(&chain)? {
            return Ok((chain, there));
        }
        let record = arrived.record(parent, blob, is_kept);
        arrived.settle(&chain)?;
        Ok((chain, record))
    }
}

fn broken(reason: String) -> Error {
    Error::Archive(format!("it is no layer: {reason}"))
}

/// Writes what is read through it to a blob's file.
struct Tee<R> {
    input: R,
    draft: Draft,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.draft.write(&buffer[..got]).map_err(|e| io::Error::other(chain(&e)))?;
        Ok(got)
    }
}
