//! The names that a pull gives.

use berth_oci::{Digest, ImageId, Reference};
use berth_state::Transaction;

use crate::record::{ImageRecord, NameRecord};
use crate::resolve::name_key;

/// What the image is to be called: its tag, and the digest that the tag stands for.
#[derive(Debug)]
pub(super) struct Names {
    digest: Digest,
    /// Nothing where the user asked for a digest.
    tag: Option<String>,
    by_digest: String,
    /// By the digest of its own manifest, where the other digest is a list's.
    by_manifest: Option<(String, Digest)>,
}

impl Names {
    pub(super) fn new(reference: &Reference, digest: &Digest, manifest: &Digest) -> Self {
        let key = |digest: &Digest| name_key(&reference.with_digest(digest.clone()));
        Self {
            digest: digest.clone(),
            tag: reference.digest().is_none().then(|| name_key(reference)),
            by_digest: key(digest),
            by_manifest: (digest != manifest).then(|| (key(manifest), manifest.clone())),
        }
    }

    /// Gives the image its names; tells whether one of them is new to it.
    ///
    /// A list's digest stays with the platform that came first, unless it was asked for by that digest: the tag goes to
    /// the platform that came last. Docker leaves the second without a digest; here it gets its own manifest's.
    pub(super) fn put(&self, tx: &mut Transaction<'_>, image: &ImageId) -> berth_state::Result<bool> {
        let taken = match tx.get::<NameRecord>(&self.by_digest)? {
            Some(other) if other.image != *image => tx.exists::<ImageRecord>(other.image.as_str())?,
            _ => false,
        };
        let (key, digest) = match &self.by_manifest {
            Some((key, digest)) if taken && self.tag.is_some() => (key, digest),
            _ => (&self.by_digest, &self.digest),
        };
        let mut fresh = give(tx, key, image, digest)?;
        if let Some(tag) = &self.tag {
            fresh |= give(tx, tag, image, &self.digest)?;
        }
        Ok(fresh)
    }
}

fn give(tx: &mut Transaction<'_>, key: &str, image: &ImageId, digest: &Digest) -> berth_state::Result<bool> {
    let fresh = tx.get::<NameRecord>(key)?.is_none_or(|before| before.image != *image);
    tx.put(key, &NameRecord { image: image.clone(), digest: Some(digest.clone()) })?;
    Ok(fresh)
}
