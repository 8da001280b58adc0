//! What the names mean that `save` is given.

use berth_oci::{Digest, ImageId, Reference};
use berth_state::Reader;

use crate::record::NameRecord;
use crate::resolve::{name_key, parse_key, resolve};
use crate::{Error, Result};

/// Each image once, in the order in which they are named, with those of its names that were given. A repository
/// stands for all its tags; an id and a digest stand for an image without a name.
pub(super) fn find(reader: &Reader<'_>, texts: &[String]) -> Result<Vec<(ImageId, Vec<Reference>)>> {
    let mut images: Vec<(ImageId, Vec<Reference>)> = Vec::new();
    for text in texts {
        for (id, name) in meant(reader, text)? {
            let at = images.iter().position(|(other, _)| *other == id).unwrap_or_else(|| {
                images.push((id, Vec::new()));
                images.len() - 1
            });
            let names = &mut images[at].1;
            names.extend(name.filter(|name| !names.contains(name)));
        }
    }
    Ok(images)
}

fn meant(reader: &Reader<'_>, text: &str) -> Result<Vec<(ImageId, Option<Reference>)>> {
    let by_id = || match resolve(reader, text) {
        Ok(id) => Ok(vec![(id, None)]),
        Err(Error::NoSuchImage(_)) => Err(Error::NoSuchReference(text.to_owned())),
        Err(other) => Err(other),
    };
    let is_id = Digest::parse(text).is_ok() || Digest::from_sha256_hex(text).is_ok();
    if is_id {
        return by_id();
    }
    // What cannot be a name may be the beginning of an id.
    let Ok(name) = Reference::parse_name(text) else { return by_id() };
    if name.digest().is_some() {
        return by_id();
    }
    if name.tag().is_some() {
        let found = reader.get::<NameRecord>(&name_key(&name))?;
        let found = found.ok_or_else(|| Error::NoSuchReference(text.to_owned()))?;
        return Ok(vec![(found.image, Some(name))]);
    }
    let tags = reader.list_prefix::<NameRecord>(&format!("{}:", name.name()))?;
    if tags.is_empty() {
        return by_id();
    }
    tags.into_iter().map(|(key, found)| Ok((found.image, Some(parse_key(&key)?)))).collect()
}
