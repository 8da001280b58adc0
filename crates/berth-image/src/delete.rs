//! `rmi`: which names go, whether the image goes with them, and why not. Docker's rules and texts.

use std::collections::BTreeSet;

use berth_oci::{ChainId, Digest, ImageId, Reference};
use berth_state::Transaction;

use crate::lease::Claims;
use crate::need::{Needed, Unneeded};
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
    /// What no record needs any longer.
    pub(crate) gone: Unneeded,
}

/// One deletion within one transaction.
pub(crate) struct Deletion<'t, 'c> {
    tx: &'t mut Transaction<'c>,
    image: ImageId,
    options: DeleteOptions,
    claims: &'t Claims,
    pub(crate) lines: Vec<Deleted>,
}

pub(crate) fn delete(tx: &mut Transaction<'_>, text: &str, options: DeleteOptions, claims: &Claims) -> Result<Outcome> {
    let image = resolve(tx, text)?;
    let mut deletion = Deletion { tx, image: image.clone(), options, claims, lines: Vec::new() };
    let whole = deletion.run(text)?;
    let gone = if whole { deletion.remove_image()? } else { Unneeded::default() };
    Ok(Outcome { image, lines: deletion.lines, gone })
}

impl<'t, 'c> Deletion<'t, 'c> {
    pub(crate) fn new(tx: &'t mut Transaction<'c>, image: ImageId, claims: &'t Claims) -> Self {
        Self { tx, image, options: DeleteOptions::default(), claims, lines: Vec::new() }
    }

    /// Removes the image with all its names, whoever needs it.
    pub(crate) fn whole(&mut self) -> Result<Unneeded> {
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
    fn remove_image(&mut self) -> Result<Unneeded> {
        let key = self.image.as_str().to_owned();
        let Some(record) = self.tx.get::<ImageRecord>(&key)? else {
            return Err(Error::Vanished(self.image.clone()));
        };
        self.tx.delete::<ImageRecord>(&key)?;
        self.lines.push(Deleted::Deleted(self.image.digest().clone()));
        let gone = remove_unneeded(self.tx, &record.layers, record.blobs().cloned().collect(), self.claims)?;
        self.lines.extend(gone.layers.iter().map(|chain| Deleted::Deleted(chain.digest().clone())));
        Ok(gone)
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

/// Claims an image for a container; tells whether it is (still) here.
pub(crate) fn hold(tx: &mut Transaction<'_>, image: &ImageId, container: &str) -> berth_state::Result<bool> {
    let Some(record) = tx.get::<ImageRecord>(image.as_str())? else { return Ok(false) };
    let hold = HoldRecord { container: container.to_owned(), layers: record.layers };
    tx.put(&hold_key(image, container), &hold)?;
    Ok(true)
}

/// Takes a claim back; what nobody else needs then is given back for removal.
pub(crate) fn release(tx: &mut Transaction<'_>, image: &ImageId, container: &str, claims: &Claims) -> Result<Unneeded> {
    let key = hold_key(image, container);
    let Some(hold) = tx.get::<HoldRecord>(&key)? else { return Ok(Unneeded::default()) };
    tx.delete::<HoldRecord>(&key)?;
    if tx.exists::<ImageRecord>(image.as_str())? {
        return Ok(Unneeded::default());
    }
    remove_unneeded(tx, &hold.layers, Vec::new(), claims)
}
