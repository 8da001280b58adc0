//! New limits, or a new restart policy, in a container's record.

use std::sync::Arc;

use berth_state::Durability;

use super::Task;
use crate::shared::{Reply, Respec};
use crate::spec::ContainerSpec;
use crate::state::State;
use crate::{Error, Result, update};

impl Task {
    /// Answers with what was before.
    pub(super) async fn respec(&mut self, respec: Respec, reply: Reply<Arc<ContainerSpec>>) {
        let result = self.change_spec(respec).await;
        drop(reply.send(result));
    }

    async fn change_spec(&mut self, respec: Respec) -> Result<Arc<ContainerSpec>> {
        let refused = |why: &str| Error::State(format!("Cannot update container {}: {why}", self.id));
        if matches!(self.state, State::Removing(_) | State::Dead { .. }) {
            return Err(refused("Container is marked for removal and cannot be \"update\"."));
        }
        let before = Arc::clone(&self.record.spec);
        let mut after = ContainerSpec::clone(&before);
        match respec {
            Respec::Merge(asked) => {
                after.resources =
                    update::merge(&before.resources, &asked).map_err(|error| refused(&error.to_string()))?;
            }
            Respec::Replace(limits) => after.resources = *limits,
            Respec::Policy(policy) => {
                update::may_restart(&before, policy).map_err(refused)?;
                after.restart = policy;
            }
        }
        self.record.spec = Arc::new(after);
        if let Err(error) = self.save(Durability::Synced).await {
            self.record.spec = before;
            return Err(error);
        }
        self.show();
        Ok(before)
    }
}
