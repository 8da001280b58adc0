//! `update`: recorded first, then told to the cgroup of a container that runs; taken back where the kernel refuses.

use std::sync::Arc;

use berth_shim::protocol::{Request, Response, Update};
use oci_spec::runtime::LinuxPidsBuilder;

use super::Containers;
use super::life::{ask, unexpected};
use crate::plan::resources;
use crate::shared::{Command, Respec, Shared};
use crate::spec::{ResourceSpec, RestartPolicy};
use crate::{Error, Result, update};

impl Containers {
    /// Changes limits (what is nothing or zero stays) and the restart policy. Gives what the user should know, one
    /// sentence each.
    ///
    /// # Errors
    /// Limits that cannot be, or contradict what holds; what the kernel refuses.
    pub async fn update(&self, key: &str, asked: ResourceSpec, policy: Option<RestartPolicy>) -> Result<Vec<String>> {
        let shared = self.find(key)?;
        let warnings = resources::validate(&update::by_itself(&asked), &self.ground.host)?;
        if let Some(policy) = policy {
            update::may_restart(&shared.view().spec, policy)
                .map_err(|why| Error::State(format!("Cannot update container {}: {why}", shared.id)))?;
        }
        let asked = resources::possible(&asked, &self.ground.host);
        if asked != ResourceSpec::default() {
            self.change_limits(&shared, asked).await?;
        }
        if let Some(policy) = policy {
            shared.ask(|reply| Command::Respec { respec: Respec::Policy(policy), reply }).await?;
        }
        self.ground.publish(&shared.view(), "update", &[]);
        Ok(warnings)
    }

    async fn change_limits(&self, shared: &Arc<Shared>, asked: ResourceSpec) -> Result<()> {
        let unlimited = asked.pids_limit.is_some_and(|limit| limit <= 0);
        let respec = Respec::Merge(Box::new(asked));
        let before = shared.ask(|reply| Command::Respec { respec, reply }).await?.resources.clone();
        let view = shared.view();
        if !view.state.is_alive() {
            return Ok(());
        }
        let applied = self.apply(shared, &view.spec.resources, unlimited).await;
        if let Err(error) = applied {
            let respec = Respec::Replace(Box::new(before.clone()));
            shared.ask(|reply| Command::Respec { respec, reply }).await?;
            // What took effect before the kernel refused the rest.
            drop(self.apply(shared, &before, false).await);
            return Err(Error::Internal(format!("Cannot update container {}: {}", shared.id, error.chain())));
        }
        Ok(())
    }

    async fn apply(&self, shared: &Arc<Shared>, limits: &ResourceSpec, unlimited_pids: bool) -> Result<()> {
        let mut resources = resources::controls(limits, &self.ground.host)?;
        if unlimited_pids {
            let none = LinuxPidsBuilder::default().limit(-1).build();
            resources.set_pids(Some(none.map_err(|e| Error::Internal(e.to_string()))?));
        }
        match ask(shared, Request::Update(Box::new(Update { resources }))).await {
            Ok(Response::Done {}) => Ok(()),
            // It has ended meanwhile: its next start takes the new limits.
            Err(Error::State(_)) if !shared.view().state.is_alive() => Ok(()),
            Ok(other) => Err(unexpected(shared, &other)),
            Err(error) => Err(error),
        }
    }
}
