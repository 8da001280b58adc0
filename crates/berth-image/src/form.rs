//! The manifests by which an image is known: one configuration can have several (another compression, another
//! registry's rewriting), and each name here goes back to where it came from by the manifest that it came by.
//!
//! One of them is the image's own; the others are kept for as long as a name speaks of them.

use berth_oci::{Descriptor, Digest, ImageId, Reference};
use berth_state::Reader;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::record::{ImageRecord, NameRecord};
use crate::resolve::name_key;
use crate::store::Inner;

/// One manifest, and what goes with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) manifest: Descriptor,
    /// The manifest list it was chosen from.
    pub(crate) index: Option<Descriptor>,
    /// Its compressed layers.
    pub(crate) blobs: Vec<Digest>,
    /// The repository it was pulled from.
    pub(crate) origin: Option<String>,
}

impl Form {
    /// What it is called at its registry: the list's digest where there is one, or the manifest's.
    fn root(&self) -> &Digest {
        self.index.as_ref().map_or(&self.manifest.digest, |index| &index.digest)
    }

    fn is_called(&self, digest: &Digest) -> bool {
        self.root() == digest || self.manifest.digest == *digest
    }

    /// What says what the image is.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Digest> {
        [&self.manifest.digest].into_iter().chain(self.index.as_ref().map(|index| &index.digest))
    }
}

impl ImageRecord {
    /// The image's own.
    fn form(&self) -> Form {
        Form {
            manifest: self.manifest.clone(),
            index: self.index.clone(),
            blobs: self.blobs.clone(),
            origin: self.origin.clone(),
        }
    }

    /// All there are, its own first.
    pub(crate) fn forms(&self) -> Vec<Form> {
        std::iter::once(self.form()).chain(self.others.iter().cloned()).collect()
    }

    /// Whether what a registry calls so is here.
    pub(crate) fn has_form(&self, digest: &Digest) -> bool {
        self.form().is_called(digest) || self.others.iter().any(|form| form.is_called(digest))
    }

    /// The image as the registry that calls it so knows it; as it is where nobody does.
    pub(crate) fn called(self, digest: Option<&Digest>) -> Self {
        let own = self.form();
        let Some(digest) = digest.filter(|digest| own.root() != *digest) else { return self };
        let of = |form: Form| Self {
            // A name that stands for the manifest alone says nothing of the list.
            index: form.index.filter(|index| index.digest == *digest),
            manifest: form.manifest,
            blobs: form.blobs,
            origin: form.origin,
            ..self.clone()
        };
        let mut all = self.others.iter().chain([&own]);
        all.find(|form| form.is_called(digest)).cloned().map_or_else(|| self.clone(), of)
    }

    /// Makes a manifest the image's own.
    fn adopt(&mut self, form: Form) {
        let Form { manifest, index, blobs, origin } = form;
        (self.manifest, self.index, self.blobs, self.origin) = (manifest, index, blobs, origin);
    }

    /// Takes over what an earlier record of the same image knew besides.
    pub(crate) fn absorb(&mut self, former: Self) {
        let own = self.form();
        let known = std::iter::once(former.form()).chain(former.others);
        self.others = known.filter(|form| form.root() != own.root()).collect();
    }

    /// Forgets the manifests that none of its names speaks of; gives back the blobs that only they named.
    pub(crate) fn forget_unnamed(&mut self, reader: &Reader<'_>, id: &ImageId) -> Result<Vec<Digest>> {
        if self.others.is_empty() {
            return Ok(Vec::new());
        }
        let mut named = Vec::new();
        for (key, name) in reader.list::<NameRecord>()?.into_iter().filter(|(_, name)| name.image == *id) {
            named.extend(name.digest);
            named.extend(Reference::parse_name(&key).ok().and_then(|reference| reference.digest().cloned()));
        }
        let is_named = |form: &Form| named.iter().any(|digest| form.is_called(digest));
        let (mut kept, mut gone): (Vec<Form>, Vec<Form>) = self.forms().into_iter().partition(is_named);
        if kept.is_empty() {
            kept.push(gone.remove(0));
        }
        self.adopt(kept.remove(0));
        self.others = kept;
        Ok(gone.iter().flat_map(|form| form.documents().chain(&form.blobs)).cloned().collect())
    }
}

impl Inner {
    /// An image as it was when it got this name.
    pub(crate) fn as_called(&self, image: ImageRecord, name: &Reference) -> Result<ImageRecord> {
        let name = self.state.read(|reader| reader.get::<NameRecord>(&name_key(name)))?;
        Ok(image.called(name.and_then(|name| name.digest).as_ref()))
    }
}
