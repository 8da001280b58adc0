//! New limits in a container's record.

use std::sync::Arc;

use berth_state::Durability;

use super::Task;
use crate::shared::{Reply, Respec};
use crate::spec::ResourceSpec;
use crate::state::State;
use crate::{Error, Result, update};

impl Task {
    /// Answers with the limits of before.
    pub(super) async fn respec(&mut self, respec: Respec, reply: Reply<ResourceSpec>) {
        let result = self.set_limits(respec).await;
        drop(reply.send(result));
    }

    async fn set_limits(&mut self, respec: Respec) -> Result<ResourceSpec> {
        let refused = |text: &str| Error::State(format!("Cannot update container {}: {text}", self.id));
        if matches!(self.state, State::Removing(_) | State::Dead { .. }) {
            return Err(refused("Container is marked for removal and cannot be \"update\"."));
        }
        let before = Arc::clone(&self.record.spec);
        let after = match respec {
            Respec::Merge(asked) => {
                update::merge(&before.resources, &asked).map_err(|error| refused(&error.to_string()))?
            }
            Respec::Replace(limits) => *limits,
        };
        Arc::make_mut(&mut self.record.spec).resources = after;
        if let Err(error) = self.save(Durability::Synced).await {
            self.record.spec = before;
            return Err(error);
        }
        self.show();
        Ok(before.resources.clone())
    }
}
