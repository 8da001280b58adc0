//! `rmi`: which names go, whether the image goes with them, and why not. Docker's rules and texts.

use std::collections::BTreeSet;

use berth_oci::{ChainId, Digest, ImageId, Reference};
use berth_state::Transaction;

use crate::record::{HoldRecord, ImageRecord, LayerRecord, NameRecord, hold_key, holders};
use crate::resolve::{is_id_prefix, name_key, names, resolve};
use crate::{Error, Result};

/// How to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Delete although stopped containers use it or several repositories name it.
    pub force: bool,
    /// The containers that run now: their images are not deleted even by force.
    pub running: BTreeSet<String>,
}

/// One line of `rmi`'s answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// A name is gone (as users write it).
    Untagged(String),
    /// An image or a layer is gone.
    Deleted(Digest),
}

/// What a deletion came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) image: ImageId,
    pub(crate) lines: Vec<Deleted>,
    /// Files that no record needs any longer.
    pub(crate) layers: Vec<ChainId>,
    pub(crate) blobs: Vec<Digest>,
}

/// One deletion within one transaction.
pub(crate) struct Deletion<'t, 'c> {
    tx: &'t mut Transaction<'c>,
    image: ImageId,
    options: DeleteOptions,
    leased: &'t dyn Fn(&ChainId) -> bool,
    leased_blob: &'t dyn Fn(&Digest) -> bool,
    pub(crate) lines: Vec<Deleted>,
}

pub(crate) fn delete(
    tx: &mut Transaction<'_>,
    text: &str,
    options: DeleteOptions,
    leased: &dyn Fn(&ChainId) -> bool,
    leased_blob: &dyn Fn(&Digest) -> bool,
) -> Result<Outcome> {
    let image = resolve(tx, text)?;
    let mut deletion = Deletion { tx, image: image.clone(), options, leased, leased_blob, lines: Vec::new() };
    let gone = deletion.run(text)?;
    let (layers, blobs) = if gone { deletion.remove_image()? } else { Default::default() };
    Ok(Outcome { image, lines: deletion.lines, layers, blobs })
}

impl<'t, 'c> Deletion<'t, 'c> {
    pub(crate) fn new(
        tx: &'t mut Transaction<'c>,
        image: ImageId,
        leased: &'t dyn Fn(&ChainId) -> bool,
        leased_blob: &'t dyn Fn(&Digest) -> bool,
    ) -> Self {
        Self { tx, image, options: DeleteOptions::default(), leased, leased_blob, lines: Vec::new() }
    }

    /// Removes the image with all its names, whoever needs it.
    pub(crate) fn whole(&mut self) -> Result<(Vec<ChainId>, Vec<Digest>)> {
        for reference in names(self.tx, &self.image)? {
            self.untag(&reference)?;
        }
        self.remove_image()
    }
}

impl Deletion<'_, '_> {
    /// Removes names; tells whether the image itself is to go.
    fn run(&mut self, text: &str) -> Result<bool> {
        let by_name = !is_id_prefix(&self.image, text);
        let references = names(self.tx, &self.image)?;
        if by_name {
            if !self.remove_name(text, &references)? {
                return Ok(false);
            }
        } else if is_single(&references) {
            self.check(self.options.force, false)?;
            for reference in &references {
                self.untag(reference)?;
            }
        }
        match self.check(self.options.force, true) {
            Ok(()) => {}
            // The name was all that could go: the image is still in use, and that is no error.
            Err(_) if by_name => return Ok(false),
            Err(conflict) => return Err(conflict),
        }
        for reference in names(self.tx, &self.image)? {
            self.untag(&reference)?;
        }
        Ok(true)
    }

    /// Removes one name (and the digests of its repository, if it was the last tag there); tells whether it was the
    /// image's last.
    fn remove_name(&mut self, text: &str, references: &[Reference]) -> Result<bool> {
        if !self.options.force
            && is_single(references)
            && let Some(container) = holders(self.tx, &self.image)?.first()
        {
            return Err(Error::ReferenceInUse {
                reference: text.to_owned(),
                container: short(container),
                image: self.image.short().to_owned(),
            });
        }
        let removed = Reference::parse(text)?;
        self.untag(&removed)?;
        let mut rest = names(self.tx, &self.image)?;
        let same_repository = |r: &Reference| r.name() == removed.name();
        if removed.digest().is_none() && !rest.iter().any(|r| r.digest().is_none() && same_repository(r)) {
            for reference in rest.iter().filter(|r| same_repository(r)) {
                self.untag(reference)?;
            }
            rest.retain(|r| !same_repository(r));
        }
        Ok(rest.is_empty())
    }

    fn untag(&mut self, reference: &Reference) -> Result<()> {
        self.tx.delete::<NameRecord>(&name_key(reference))?;
        self.lines.push(Deleted::Untagged(reference.familiar()));
        Ok(())
    }

    /// What stands against deleting; `references` counts names as well.
    fn check(&self, force: bool, references: bool) -> Result<()> {
        let conflict = |hard, reason| Err(Error::InUse { image: self.image.short().to_owned(), hard, reason });
        let holders = holders(self.tx, &self.image)?;
        if let Some(container) = holders.iter().find(|c| self.options.running.contains(*c)) {
            return conflict(true, format!("image is being used by running container {}", short(container)));
        }
        if force {
            return Ok(());
        }
        if references && !names(self.tx, &self.image)?.is_empty() {
            return conflict(false, "image is referenced in multiple repositories".into());
        }
        match holders.first() {
            Some(container) => {
                conflict(false, format!("image is being used by stopped container {}", short(container)))
            }
            None => Ok(()),
        }
    }

    /// Removes the records of the image and of everything that only it needs.
    fn remove_image(&mut self) -> Result<(Vec<ChainId>, Vec<Digest>)> {
        let key = self.image.as_str().to_owned();
        let Some(record) = self.tx.get::<ImageRecord>(&key)? else {
            return Err(Error::Vanished(self.image.clone()));
        };
        self.tx.delete::<ImageRecord>(&key)?;
        self.lines.push(Deleted::Deleted(self.image.digest().clone()));
        let layers = remove_unneeded_layers(self.tx, &record.layers, self.leased)?;
        self.lines.extend(layers.iter().map(|chain| Deleted::Deleted(chain.digest().clone())));
        let others = self.tx.list::<ImageRecord>()?;
        let needed: BTreeSet<&Digest> = others.iter().flat_map(|(_, r)| r.blobs()).collect();
        let unneeded = record.blobs().filter(|b| !needed.contains(b) && !(self.leased_blob)(b));
        Ok((layers, unneeded.cloned().collect()))
    }
}

/// Removes the records of those of `candidates` (a stack, bottom first) that no image, no container and no running
/// pull needs; gives them back, top first.
pub(crate) fn remove_unneeded_layers(
    tx: &mut Transaction<'_>,
    candidates: &[ChainId],
    leased: &dyn Fn(&ChainId) -> bool,
) -> Result<Vec<ChainId>> {
    let (images, holds) = (tx.list::<ImageRecord>()?, tx.list::<HoldRecord>()?);
    let of_images = images.iter().flat_map(|(_, image)| &image.layers);
    let needed: BTreeSet<&ChainId> = of_images.chain(holds.iter().flat_map(|(_, hold)| &hold.layers)).collect();
    let mut removed = Vec::new();
    for chain in candidates.iter().rev().filter(|c| !needed.contains(c) && !leased(c)) {
        if tx.delete::<LayerRecord>(chain.as_str())? {
            removed.push(chain.clone());
        }
    }
    Ok(removed)
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

/// Claims an image for a container; tells whether it is (still) here.
pub(crate) fn hold(tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool> {
    let Some(record) = tx.get::<ImageRecord>(image.as_str())? else { return Ok(false) };
    let hold = HoldRecord { container: container.to_owned(), layers: record.layers };
    tx.put(&hold_key(image, container), &hold)?;
    Ok(true)
}

/// Takes a claim back; what nobody else needs then is given back for removal.
pub(crate) fn release(
    tx: &mut Transaction<'_>,
    image: &ImageId,
    container: &str,
    leased: &dyn Fn(&ChainId) -> bool,
) -> Result<Vec<ChainId>> {
    let key = hold_key(image, container);
    let Some(hold) = tx.get::<HoldRecord>(&key)? else { return Ok(Vec::new()) };
    tx.delete::<HoldRecord>(&key)?;
    if tx.exists::<ImageRecord>(image.as_str())? {
        return Ok(Vec::new());
    }
    remove_unneeded_layers(tx, &hold.layers, leased)
}
