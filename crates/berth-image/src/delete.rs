//! `rmi`: which names go, whether the image goes with them, and why not. Docker's rules and texts.

use std::collections::{BTreeMap, BTreeSet};

use berth_oci::{ChainId, Digest, ImageId, Reference};
use berth_state::Transaction;

use crate::family;
use crate::lease::Claims;
use crate::need::{Needed, Unneeded};
use crate::record::{ImageRecord, LayerRecord, NameRecord, ParentRecord, holders};
use crate::resolve::{is_id_prefix, name_key, names, resolve};
use crate::{Error, Result};

/// How to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Delete although stopped containers use it or several repositories name it.
    pub force: bool,
    /// Leave the images that it was made of, though they have no name and nobody uses them.
    pub keep_parents: bool,
    /// The containers that run now: their images are not deleted even by force.
    pub running: BTreeSet<String>,
}

/// One line of `rmi`'s answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// A name is gone (as users write it).
    Untagged {
        /// The name.
        name: String,
        /// What it was the name of; nothing where it went along with another name, which is no event of its own.
        of: Option<Untagged>,
    },
    /// An image is gone.
    Image(ImageId),
    /// A layer is gone.
    Layer(ChainId),
}

/// An image that lost a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untagged {
    /// The image.
    pub image: ImageId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What deletions came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gone {
    pub(crate) lines: Vec<Deleted>,
    /// What no record needs any longer.
    pub(crate) files: Unneeded,
}

/// Deletions within one transaction.
pub(crate) struct Deletion<'t, 'c> {
    pub(crate) tx: &'t mut Transaction<'c>,
    options: DeleteOptions,
    claims: &'t Claims,
    pub(crate) gone: Gone,
}

pub(crate) fn delete(tx: &mut Transaction<'_>, text: &str, options: DeleteOptions, claims: &Claims) -> Result<Gone> {
    let image = resolve(tx, text)?;
    let mut deletion = Deletion::new(tx, options, claims);
    deletion.named(&image, text)?;
    Ok(deletion.gone)
}

impl<'t, 'c> Deletion<'t, 'c> {
    pub(crate) fn new(tx: &'t mut Transaction<'c>, options: DeleteOptions, claims: &'t Claims) -> Self {
        Self { tx, options, claims, gone: Gone::default() }
    }
}

impl Deletion<'_, '_> {
    /// Deletes what `text` names: a name, and the image with its last one; by id, the image with all its names.
    /// Nothing has changed where this fails.
    pub(crate) fn named(&mut self, image: &ImageId, text: &str) -> Result<()> {
        let references = names(self.tx, image)?;
        let force = self.options.force;
        if !is_id_prefix(image, text) {
            // The name was all that could go, if the image is still in use: that is no error.
            if self.remove_name(image, text, &references)? && self.conflict(image, force, true)?.is_none() {
                self.whole(image)?;
            }
            return Ok(());
        }
        // Several names within one repository go with the id; names in several need force.
        let conflict = self.conflict(image, force, !is_single(&references))?;
        conflict.map_or(Ok(()), Err)?;
        self.whole(image)
    }

    /// Removes one name (and the digests of its repository, if it was the last tag there); tells whether it was the
    /// image's last.
    fn remove_name(&mut self, image: &ImageId, text: &str, references: &[Reference]) -> Result<bool> {
        if !self.options.force
            && is_single(references)
            && let Some(container) = holders(self.tx, image)?.first()
        {
            return Err(Error::ReferenceInUse {
                reference: text.to_owned(),
                container: short(container),
                image: image.short().to_owned(),
            });
        }
        let removed = Reference::parse(text)?;
        self.untag(image, &removed, true)?;
        let mut rest = names(self.tx, image)?;
        let same_repository = |r: &Reference| r.name() == removed.name();
        if removed.digest().is_none() && !rest.iter().any(|r| r.digest().is_none() && same_repository(r)) {
            for reference in rest.iter().filter(|r| same_repository(r)) {
                self.untag(image, reference, false)?;
            }
            rest.retain(|r| !same_repository(r));
        }
        if !rest.is_empty() {
            self.forget_unnamed(image)?;
        }
        Ok(rest.is_empty())
    }

    /// Manifests that only the names spoke of that are gone.
    fn forget_unnamed(&mut self, image: &ImageId) -> Result<()> {
        let Some(mut record) = self.tx.get::<ImageRecord>(image.as_str())? else { return Ok(()) };
        let blobs = record.forget_unnamed(self.tx, image)?;
        if !blobs.is_empty() {
            self.tx.put(image.as_str(), &record)?;
            self.gone.files.extend(remove_unneeded(self.tx, &[], blobs, self.claims)?);
        }
        Ok(())
    }

    /// `told`: it is an event of its own.
    fn untag(&mut self, image: &ImageId, reference: &Reference, told: bool) -> Result<()> {
        self.tx.delete::<NameRecord>(&name_key(reference))?;
        let of = match told {
            true => {
                let labels = self.tx.get::<ImageRecord>(image.as_str())?.map(|record| record.config.labels());
                Some(Untagged { image: image.clone(), labels: labels.unwrap_or_default() })
            }
            false => None,
        };
        self.gone.lines.push(Deleted::Untagged { name: reference.familiar(), of });
        Ok(())
    }

    /// What stands against deleting; `references` counts names as well.
    fn conflict(&self, image: &ImageId, force: bool, references: bool) -> Result<Option<Error>> {
        let conflict = |hard, reason| Ok(Some(Error::InUse { image: image.short().to_owned(), hard, reason }));
        if family::has_children(self.tx, image)? {
            return conflict(true, "image has dependent child images".into());
        }
        let holders = holders(self.tx, image)?;
        if let Some(container) = holders.iter().find(|c| self.options.running.contains(*c)) {
            return conflict(true, format!("image is being used by running container {}", short(container)));
        }
        if force {
            return Ok(None);
        }
        if references && !names(self.tx, image)?.is_empty() {
            return conflict(false, "image is referenced in multiple repositories".into());
        }
        match holders.first() {
            Some(container) => {
                conflict(false, format!("image is being used by stopped container {}", short(container)))
            }
            None => Ok(None),
        }
    }

    /// Removes an image with all its names, and then those it was made of, as far as nobody needs them.
    fn whole(&mut self, image: &ImageId) -> Result<()> {
        let mut parent = family::parent(self.tx, image)?.filter(|_| !self.options.keep_parents);
        for reference in names(self.tx, image)? {
            self.untag(image, &reference, true)?;
        }
        self.remove_image(image)?;
        while let Some(image) = parent.take() {
            if self.conflict(&image, false, true)?.is_none() {
                parent = family::parent(self.tx, &image)?;
                self.remove_image(&image)?;
            }
        }
        Ok(())
    }

    /// Removes the records of the image and of everything that only it needs.
    fn remove_image(&mut self, image: &ImageId) -> Result<()> {
        let Some(record) = self.tx.get::<ImageRecord>(image.as_str())? else {
            return Err(Error::Vanished(image.clone()));
        };
        self.tx.delete::<ImageRecord>(image.as_str())?;
        self.tx.delete::<ParentRecord>(image.as_str())?;
        self.gone.lines.push(Deleted::Image(image.clone()));
        let files = remove_unneeded(self.tx, &record.layers, record.blobs().cloned().collect(), self.claims)?;
        self.gone.lines.extend(files.layers.iter().cloned().map(Deleted::Layer));
        self.gone.files.extend(files);
        Ok(())
    }
}

/// Removes the records of those of `layers` (a stack, bottom first) that no image, no container and no lease needs,
/// and says which files go: those layers, top first, and of `blobs` and the blobs that the layers came in those that
/// nobody needs either.
pub(crate) fn remove_unneeded(
    tx: &mut Transaction<'_>,
    layers: &[ChainId],
    blobs: Vec<Digest>,
    claims: &Claims,
) -> Result<Unneeded> {
    let gone = Needed::read(tx)?.unneeded(layers.iter().rev(), blobs, claims);
    for chain in &gone.layers {
        tx.delete::<LayerRecord>(chain.as_str())?;
    }
    Ok(gone)
}

/// At most one tag, and all names in one repository.
fn is_single(references: &[Reference]) -> bool {
    let tags = references.iter().filter(|r| r.digest().is_none()).count();
    let repositories: BTreeSet<String> = references.iter().map(Reference::name).collect();
    tags <= 1 && repositories.len() <= 1
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}
