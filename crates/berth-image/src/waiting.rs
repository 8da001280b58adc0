//! What interrupted pulls have left for the next try: whole layers that no image needs yet, and blobs that are not
//! whole. It goes by itself after some days, and at once with `image prune`.

use berth_oci::ChainId;
use berth_state::Durability;

use crate::Result;
use crate::delete::remove_unneeded;
use crate::lease::Claims;
use crate::need::Needed;
use crate::store::Inner;

impl Inner {
    /// How many bytes wait, other than for a pull that is under way.
    pub(crate) fn waiting(&self) -> Result<u64> {
        let claims = self.leases().claims();
        let layers = self.state.read(|reader| {
            let needed = Needed::read(reader)?;
            let layers = unclaimed(&needed, &claims);
            Ok::<_, crate::Error>(needed.unneeded(&layers, [], &claims).freed)
        })?;
        let partials = self.content.partials()?.into_iter().filter(|partial| !partial.busy);
        Ok(layers + partials.map(|partial| partial.size).sum::<u64>())
    }

    /// Removes it, and says how many bytes that was.
    pub(crate) fn forget_waiting(&self) -> Result<u64> {
        let leases = self.leases();
        let claims = leases.claims();
        let some = self.state.read(Needed::read)?;
        let layers = unclaimed(&some, &claims);
        let mut freed = self.content.forget_partials()?;
        if !layers.is_empty() {
            let gone = self
                .state
                .try_write(Durability::Synced, move |tx| remove_unneeded(tx, &layers, Vec::new(), &claims))?;
            self.discard(&gone);
            freed += gone.freed;
        }
        drop(leases);
        Ok(freed)
    }
}

fn unclaimed(needed: &Needed, claims: &Claims) -> Vec<ChainId> {
    needed.stale_layers(i64::MAX).filter(|chain| !claims.layers.contains(chain)).cloned().collect()
}
