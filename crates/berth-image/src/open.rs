//! A layer's bytes, whatever is kept of it: the blob it came in, its archive as it came, or its files.

use std::io::{BufReader, Read};

use berth_oci::{ChainId, Digest};

use crate::pull::decompress::decompress;
use crate::record::LayerRecord;
use crate::store::Inner;
use crate::{Error, Result};

const BUFFER: usize = 64 << 10;

/// A layer's blob: the file, or else the layer's archive, which a layer made here is sent as.
pub(crate) fn open_layer(inner: &Inner, blob: &Digest) -> Result<Box<dyn Read + Send>> {
    if inner.content.contains(blob) {
        return Ok(Box::new(inner.content.open_blob(blob)?));
    }
    let layers = inner.state.read(|reader| reader.list::<LayerRecord>())?;
    let of = |(_, layer): &&(String, LayerRecord)| layer.diff_id.digest() == blob && gives_archive(inner, layer);
    if let Some((key, layer)) = layers.iter().find(of) {
        let chain = ChainId::parse(key).map_err(|e| Error::State(format!("reading the layer {key:?}: {e}")))?;
        return open(inner, &chain, layer);
    }
    let known = |(_, layer): &(String, LayerRecord)| layer.diff_id.digest() == blob || layer.blob.digest == *blob;
    match layers.iter().any(known) {
        true => Err(away(blob)),
        false => Err(Error::Content(format!("blob {blob} is not in the store"))),
    }
}

/// A layer's archive, uncompressed, whatever form the layer has. Of one that keeps neither it nor its blob, it is made
/// of the files: they are the same, the bytes may be others.
pub(crate) fn open_archive(inner: &Inner, chain: &ChainId) -> Result<Box<dyn Read + Send>> {
    let layer = inner.layer(chain)?.ok_or_else(|| Error::Content(format!("layer {chain} is not in the store")))?;
    open(inner, chain, &layer)
}

/// Whether what is here of a layer gives its archive, byte for byte.
pub(crate) fn gives_archive(inner: &Inner, layer: &LayerRecord) -> bool {
    layer.archive.is_some() || is_made_here(layer) || inner.content.contains(&layer.blob.digest)
}

/// Nothing that is here gives these bytes again.
pub(crate) fn away(blob: &Digest) -> Error {
    let why = "its unpacked files do not give it again".to_owned();
    Error::BlobAway { blob: blob.clone(), why }
}

fn is_made_here(layer: &LayerRecord) -> bool {
    layer.blob.digest == *layer.diff_id.digest()
}

fn open(inner: &Inner, chain: &ChainId, layer: &LayerRecord) -> Result<Box<dyn Read + Send>> {
    if layer.archive.is_some() || !inner.content.contains(&layer.blob.digest) {
        return inner.layers.open_archive(chain, layer.archive);
    }
    // It came compressed, or was compressed to be sent: what is kept unpacks to it, byte for byte.
    let kept = BufReader::with_capacity(BUFFER, inner.content.open_blob(&layer.blob.digest)?);
    decompress(kept).map_err(Error::file("reading", &inner.content.path(&layer.blob.digest)))
}
