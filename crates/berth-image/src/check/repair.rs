//! What a repair does: it removes what nobody needs, and what is damaged and can be had again; it makes claims that are
//! missing, and forgets what leads nowhere. It changes no file and no layer: containers may be standing on them.

use std::sync::Arc;

use berth_oci::{ChainId, Digest};
use berth_state::Durability;

use super::{Object, Problem, ProblemKind};
use crate::record::{ImageRecord, LayerRecord, NameRecord};
use crate::store::Inner;
use crate::{ImageStore, Result};

pub(super) fn repair(inner: &Arc<Inner>, problems: &mut [Problem]) -> Result<()> {
    for problem in problems {
        match (problem.kind, &problem.object) {
            (ProblemKind::LeftOver, Object::Blob(digest)) => {
                inner.collect(vec![digest.clone()])?;
                problem.repaired = !inner.content.contains(digest);
            }
            (ProblemKind::LeftOver, Object::Layer(chain)) => problem.repaired = discard_layer(inner, chain)?,
            (ProblemKind::LeftOver, Object::Hold { image, container }) => {
                ImageStore { inner: inner.clone() }.release(image, container)?;
                problem.repaired = true;
            }
            (ProblemKind::Missing, Object::Hold { image, container }) => {
                problem.repaired = ImageStore { inner: inner.clone() }.hold(image, container).is_ok();
            }
            (ProblemKind::Missing, Object::Name(name)) => problem.repaired = forget_name(inner, name)?,
            (ProblemKind::Missing, Object::Layer(chain)) => problem.repaired = forget_layer(inner, chain)?,
            (ProblemKind::Damaged, Object::Blob(digest)) if discard_blob(inner, digest)? => {
                problem.kind = ProblemKind::Missing;
                problem.why = format!("it was damaged ({}), and is removed", problem.why);
                if let Some((_, then)) = problem.hint.split_once("; then ") {
                    problem.hint = then.to_owned();
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Unless somebody records it or works with it by now.
fn discard_layer(inner: &Inner, chain: &ChainId) -> Result<bool> {
    let leases = inner.leases();
    let known = inner.state.read(|reader| reader.exists::<LayerRecord>(chain.as_str()))?;
    if known || leases.claims().layers.contains(chain) {
        return Ok(false);
    }
    inner.layers.discard(std::slice::from_ref(chain));
    Ok(true)
}

/// Unless somebody works with it.
fn discard_blob(inner: &Inner, digest: &Digest) -> Result<bool> {
    let leases = inner.leases();
    if leases.claims().blobs.contains(digest) {
        return Ok(false);
    }
    inner.content.discard(std::slice::from_ref(digest))?;
    Ok(true)
}

fn forget_name(inner: &Inner, name: &str) -> Result<bool> {
    let key = name.to_owned();
    Ok(inner.state.write(Durability::Synced, move |tx| {
        let Some(name) = tx.get::<NameRecord>(&key)? else { return Ok(true) };
        if tx.exists::<ImageRecord>(name.image.as_str())? {
            return Ok(false);
        }
        tx.delete::<NameRecord>(&key)
    })?)
}

/// The record of a layer that is not here and that nobody needs.
fn forget_layer(inner: &Inner, chain: &ChainId) -> Result<bool> {
    let leases = inner.leases();
    let (claims, chain) = (leases.claims(), chain.clone());
    let gone = inner
        .state
        .try_write(Durability::Synced, move |tx| crate::delete::remove_unneeded(tx, &[chain], Vec::new(), &claims))?;
    inner.discard(&gone);
    Ok(!gone.layers.is_empty())
}
