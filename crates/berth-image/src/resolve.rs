//! From what a user types to an image: a name, a name with a digest, an id or the beginning of one.

use berth_oci::{Digest, ImageId, Reference, ReferenceError};
use berth_state::Reader;

use crate::record::{ImageRecord, NameRecord};
use crate::{Error, Result};

/// The image that `text` names, as Docker looks for it: whole ids, then names, then beginnings of ids.
pub(crate) fn resolve(reader: &Reader<'_>, text: &str) -> Result<ImageId> {
    let whole = if is_hex(text) && text.len() == 64 { format!("sha256:{text}") } else { text.to_owned() };
    if let Ok(digest) = Digest::parse(&whole) {
        let id = ImageId(digest);
        return match reader.exists::<ImageRecord>(id.as_str())? {
            true => Ok(id),
            false => Err(Error::NoSuchImage(whole)),
        };
    }
    let reference = Reference::parse(text)?;
    if let Some(name) = reader.get::<NameRecord>(&name_key(&reference))? {
        return Ok(name.image);
    }
    by_prefix(reader, text)?.ok_or_else(|| Error::NoSuchImage(reference.familiar()))
}

/// A name's key: where there is a digest, the tag beside it does not count.
pub(crate) fn name_key(reference: &Reference) -> String {
    match reference.digest() {
        Some(digest) => reference.with_digest(digest.clone()).to_string(),
        None => reference.to_string(),
    }
}

/// Whether the user named the image by (part of) its id.
pub(crate) fn is_id_prefix(id: &ImageId, text: &str) -> bool {
    id.as_str().starts_with(text) || id.hex().starts_with(text)
}

/// The names of one image.
pub(crate) fn names(reader: &Reader<'_>, id: &ImageId) -> Result<Vec<Reference>> {
    let all = reader.list::<NameRecord>()?;
    all.into_iter().filter(|(_, name)| name.image == *id).map(|(key, _)| parse_key(&key)).collect()
}

pub(crate) fn parse_key(key: &str) -> Result<Reference> {
    Reference::parse_name(key).map_err(|e: ReferenceError| Error::State(format!("reading the name {key:?}: {e}")))
}

fn by_prefix(reader: &Reader<'_>, text: &str) -> Result<Option<ImageId>> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    if !is_hex(hex) {
        return Ok(None);
    }
    let found = reader.list_prefix::<ImageRecord>(&format!("sha256:{hex}"))?;
    // Ambiguous is as good as unknown: that is how Docker has it.
    let [(key, _)] = &found[..] else { return Ok(None) };
    Ok(ImageId::parse(key).ok())
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
