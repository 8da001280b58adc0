//! What a running container uses, and which processes it has.

use berth_shim::protocol::{Request, Response};

use super::Containers;
use super::life::{ask, unexpected};
use crate::stats::{self, Figures};
use crate::top::{self, ProcessTable};
use crate::{Error, Result};

impl Containers {
    /// A moment's figures.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn stats(&self, key: &str) -> Result<Figures> {
        let shared = self.find(key)?;
        let cgroup = match ask(&shared, Request::Stats {}).await? {
            Response::Stats(figures) => serde_json::from_value(figures)
                .map_err(|e| Error::Internal(format!("the figures of container {}: {e}", shared.id)))?,
            other => return Err(unexpected(&shared, &other)),
        };
        let view = shared.view();
        let read = tokio::task::spawn_blocking(move || stats::read(&view, cgroup)).await;
        read.map_err(|e| Error::Internal(format!("reading figures: {e}")))?
    }

    /// Its processes as the host numbers them.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn processes(&self, key: &str) -> Result<Vec<i32>> {
        let shared = self.find(key)?;
        match ask(&shared, Request::Processes {}).await? {
            Response::Processes(pids) => Ok(pids),
            other => Err(unexpected(&shared, &other)),
        }
    }

    /// Its processes as `ps` with these arguments lists them; without any, `-ef`.
    ///
    /// # Errors
    /// Where it does not run; arguments that cannot be.
    pub async fn top(&self, key: &str, arguments: Vec<String>) -> Result<ProcessTable> {
        let pids = self.processes(key).await?;
        let listed = tokio::task::spawn_blocking(move || top::list(&pids, &arguments)).await;
        let table = listed.map_err(|e| Error::Internal(format!("listing processes: {e}")))??;
        self.ground.publish(&*self.inspect(key)?, "top", &[]);
        Ok(table)
    }
}
