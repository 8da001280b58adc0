//! A container's farewell to its volumes.

use std::sync::Arc;

use berth_state::Transaction;

use super::claims::Leaving;
use super::record;
use super::shelf::Shelf;
use crate::spec::MountSpec;

/// What a container's removal takes along. Until it is dropped, nobody else can come to need what goes.
#[derive(Debug)]
pub(crate) struct Parting {
    used: Vec<String>,
    anonymous: Vec<String>,
    taken: Vec<Leaving>,
}

impl Parting {
    /// Of a container with these mounts; `anonymous`: those of its volumes that have no name of a user's go with it.
    /// Blocks where somebody works on one of those.
    pub(crate) fn begin(shelf: &Arc<Shelf>, mounts: &[MountSpec], anonymous: bool) -> Self {
        let volumes = record::of(mounts);
        let mut parting = Self {
            used: volumes.keys().map(|name| (*name).to_owned()).collect(),
            anonymous: Vec::new(),
            taken: Vec::new(),
        };
        for (name, _) in volumes.iter().filter(|(_, anonymous_)| anonymous && **anonymous_) {
            // One that a container in the making needs goes with that one.
            if let Ok(taken) = shelf.claims.take(name) {
                parting.anonymous.push((*name).to_owned());
                parting.taken.push(taken);
            }
        }
        parting
    }

    /// What to write in the transaction that forgets the container.
    pub(crate) fn names(&self) -> (Vec<String>, Vec<String>) {
        (self.used.clone(), self.anonymous.clone())
    }

    /// The container is forgotten, and of its volumes `gone`: their files go too. Blocks.
    pub(crate) fn finish(self, shelf: &Shelf, gone: &[String]) {
        for name in gone {
            shelf.discard_quietly(name);
            shelf.publish(name, "destroy", &[]);
        }
    }
}

/// As [`Parting`], for a container that is removed while nothing else is done with containers (the engine's start): the
/// files of what is forgotten are swept afterwards.
pub(crate) fn forget_in(tx: &mut Transaction<'_>, container: &str, mounts: &[MountSpec]) -> berth_state::Result<()> {
    let volumes = record::of(mounts);
    let used: Vec<String> = volumes.keys().map(|name| (*name).to_owned()).collect();
    let anonymous: Vec<String> =
        volumes.iter().filter(|(_, anonymous)| **anonymous).map(|(name, _)| (*name).to_owned()).collect();
    record::release_in(tx, container, &used, &anonymous).map(drop)
}
